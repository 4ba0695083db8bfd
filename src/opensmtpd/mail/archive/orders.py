"""The orders to the worker that writes copies: lists ``[order, name, ...]``."""

WRITE, ACCEPT, DROP, RECOVER = range(4)
"""``[WRITE, name, at, data, last]``: bytes of a copy, from byte ``at`` on. RECOVER has no name."""
