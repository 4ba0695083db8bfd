"""Rows of a PostgreSQL database, by libpq.

``config`` reads the configuration file of table-postgres. ``connection`` asks the server; what
libpq is told to connect to is in ``conninfo``. ``session`` waits no longer than it may, and
``learning`` judges the statements. ``worker`` has a connection in a process of its own.
"""
