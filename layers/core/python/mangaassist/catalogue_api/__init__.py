"""The catalogue service's contract in Python; generated from ``services/catalogue/proto``."""
