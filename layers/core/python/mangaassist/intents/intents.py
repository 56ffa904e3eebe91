"""The eight intents of INT-1, and what is none of them."""

from __future__ import annotations

from enum import StrEnum


class Intent(StrEnum):
    """What a shopper may want."""

    RECOMMENDATION = "recommendation"
    PRODUCT_QUESTION = "product_question"
    ORDER_STATUS = "order_status"
    RETURN_REQUEST = "return_request"
    PROMOTION = "promotion"
    FAQ = "faq"
    CHITCHAT = "chitchat"
    ESCALATION = "escalation"
    OUT_OF_SCOPE = "out_of_scope"
