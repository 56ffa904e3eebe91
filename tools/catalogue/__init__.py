"""The catalogue feed: real series as facts, extended to sellable volumes that are invented and say so."""
