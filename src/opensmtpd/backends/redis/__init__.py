"""Redis and Valkey: asked over one connection, with a reader of their protocol of our own.

``resp`` reads and writes the protocol, ``link`` is a socket that speaks it within a deadline,
``place`` the address of a server, ``script`` runs Lua on it. On these stand ``connection``, which
turns to another server while the first is away, and ``config`` with the file of table-redis.
"""
