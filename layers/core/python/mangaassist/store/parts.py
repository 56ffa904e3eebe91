"""What the parts of an answer are called that may be missing from it: in ``degraded``, in logs, in metrics."""

from __future__ import annotations

from typing import Final

CATALOGUE: Final = "catalogue"
PRICING: Final = "pricing"
PROMOTIONS: Final = "promotions"
RECOMMENDATIONS: Final = "recommendations"
REVIEWS: Final = "reviews"
TRUST: Final = "trust"
