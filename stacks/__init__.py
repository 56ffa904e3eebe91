"""One module per stack; ``environments`` holds what differs between deployments, ``constructs`` what they share."""
