"""Servers that have rows, for tables to ask: real ones, from the root with smtpd 7.6, thrown away.

Each runs as a user of its own in a view of the root, reads and writes the tmpfs there, and listens
on a unix socket and on 127.0.0.1, with TLS and without.
"""
