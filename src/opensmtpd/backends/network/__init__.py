"""Rows that a server has: asked within a deadline, by one connection, without a pool.

A ``Backend`` is one configuration of a program; ``NetworkTable`` serves it. A ``Connection`` speaks
to the server, in the process that smtpd talks to, or in a worker (``worker``, ``remote``) where it
is code in C. ``Reconnecting`` connects it, once more within a question where the server had closed
it; ``TimedServer`` remembers that a server is away, and ``Stale`` the answers that it gave before.
"""
