"""Milters: real ones, from the root with smtpd 7.6, and one that does what a test says.

Each real one runs in a view of its own, as the servers of databases do.
"""
