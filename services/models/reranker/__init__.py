"""The cross-encoder reranker (RET-3): ``python -m services.models.reranker``."""

from services.models.reranker.service import RerankService, load, small

__all__ = ["RerankService", "load", "small"]
