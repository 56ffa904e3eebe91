"""Long-running containers, one folder each."""
