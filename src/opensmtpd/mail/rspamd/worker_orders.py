"""The orders of the front to the worker that talks to rspamd: see ``worker``."""

SEND, STOP, PING = range(3)
