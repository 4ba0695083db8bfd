"""Connections to databases, and state with expiry: the places where rows and state are kept."""
