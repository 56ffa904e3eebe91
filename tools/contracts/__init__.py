"""What the assistant relies on of the services it asks: contracts, their verification and how long ago that was."""
