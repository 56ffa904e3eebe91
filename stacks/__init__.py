"""One module per stack; ``environments`` holds what differs between deployments, ``constructs`` what they share."""

import sys
from pathlib import Path

# The stacks watch metrics and hold hops to budgets that the product defines, in the package its layer ships.
sys.path.append(str(Path(__file__).resolve().parents[1] / "layers" / "core" / "python"))
