"""A stand-in for a language model: composes its answer from the facts in the prompt, and from nothing else.

``prompt`` reads what the model was given, ``question`` works out what is asked of it, ``answer`` words a reply. Pure
functions: the same prompt always gets the same answer.
"""

from typing import Final

NAME: Final = "stand-in:twin-composer-1"
"""How answers say who composed them."""
