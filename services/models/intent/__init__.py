"""The intent classifier (INT-3): ``python -m services.models.intent``."""

from services.models.intent.service import IntentService, load, small

__all__ = ["IntentService", "load", "small"]
