"""Rows of an SQLite database.

``config`` reads the configuration file of table-sqlite, ``database`` asks the database, and
``rows`` makes values for smtpd of its rows.
"""
