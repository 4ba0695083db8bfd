"""Databases in WAL mode: read by a process of its own, since SQLite maps their shared memory.

``database`` reads one, in ``worker``. ``requests`` cross the border, and ``remote`` is the front's
side of it.
"""
