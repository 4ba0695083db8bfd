"""Rows of an SQLite database.

``config`` reads the configuration file of table-sqlite, and ``statements`` judges the SQL in it.
``database`` asks the database: ``file`` opens and locks it, ``connection`` bounds what it can do to
the process. ``rows`` makes values for smtpd of its rows.

``reader`` reads a database in either mode: here, or in WAL mode by the process that ``wal`` has.
``current`` tells whether an answer that was given is current: ``steady`` judges its statement.
"""
