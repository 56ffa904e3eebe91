"""What the product costs, before anybody pays: per message, per environment while idle, and at scale.

Numbers are data: ``data/prices.json`` (dated, each with its source and how sure we are) and ``data/workload.json``.
"""
