"""``python -m services.models.intent``: serve the classifier; ``services/models/settings.py`` names the variables."""

from services.models.intent import load
from services.models.server import serve

if __name__ == "__main__":
    raise SystemExit(serve("intent", load))
