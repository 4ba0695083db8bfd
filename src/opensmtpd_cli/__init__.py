"""The program ``opensmtpd-plugins``: move tables to SQLite, edit them, try tables and filters.

Only here are click and rich used. Nothing that smtpd runs imports this package.
"""
