"""The operator's program ``opensmtpd-plugins``: the swap to SQLite, users, and questions to tables.

Only here are click and rich used. Nothing that smtpd runs imports this package.
"""
