"""``python -m services.models.reranker``: serve the cross-encoder; ``services/models/settings.py`` names the variables."""

from services.models.reranker import load
from services.models.server import serve

if __name__ == "__main__":
    raise SystemExit(serve("reranker", load))
