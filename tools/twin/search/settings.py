"""What can be chosen about the service; each field is a flag and an environment variable (``__main__``)."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_RESULT_WINDOW = 10_000
MAX_K = 10_000


@dataclass(slots=True)
class SearchSettings:
    """Settings of one running service; ``visibility_delay_seconds`` can change while it runs."""

    visibility_delay_seconds: float = 1.0
    """How long a write stays invisible to searches (NextGen: about 10 s)."""
    custom_ids: bool = True
    """Whether callers may choose ``_id``: NextGen is documented to accept it, Classic refuses."""
    hnsw_parameters: bool = False
    """Whether ``method.parameters`` (``m``, ``ef_construction``) is accepted; AWS does not say."""
    allow_unsigned: bool = False
    """Serve requests without a SigV4 signature, for curl."""
