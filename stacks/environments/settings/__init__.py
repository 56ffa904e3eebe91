"""What can be set and what each setting means; ``environment.py`` is the list of all of them."""
