"""The product catalogue over gRPC (CAT-1): ``python -m services.catalogue`` (README.md)."""
