"""The synthetic world: everything the partner services know, laid out from the catalogue feed.

``build`` is a pure function of the feed's records and of the *epoch*, a moment to which every date is relative: the same two
give the same world on every machine. ``seeding`` writes it into a database. Nothing here is real but the series themselves.
"""
