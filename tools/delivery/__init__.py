"""What stands between a change and production: the inventory of what holds data, and the summary of a change."""
