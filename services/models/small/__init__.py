"""Small real models, numpy only: what answers where no transformer is deployed, the local twin first of all.

``python -m tools.twin.models.train`` makes them from committed data; ``tools/twin/models/README.md`` says how good they
are.
"""
