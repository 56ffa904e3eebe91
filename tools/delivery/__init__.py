"""What stands between a change and production: what holds data, what a change does, which assembly is deployed."""
