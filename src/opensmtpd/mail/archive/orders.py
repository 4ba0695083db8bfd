"""The orders to the worker that writes copies: lists ``[order, name, ...]``."""

WRITE, ACCEPT, DROP = range(3)
"""``[WRITE, name, at, data, last]``: bytes of a copy, from byte ``at`` on."""
