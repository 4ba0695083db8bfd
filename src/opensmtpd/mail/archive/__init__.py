"""Copies of accepted messages: spooled, moved into a Maildir, and handed on over LMTP."""
