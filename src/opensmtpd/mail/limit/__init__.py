"""Limits: how much mail may come for a user, a client or a domain, and what follows from more."""
