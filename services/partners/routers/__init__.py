"""One module for each partner: its routes, and the shapes it answers in."""
