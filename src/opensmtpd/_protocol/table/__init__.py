"""The table protocol: lookups, checks, fetches and updates."""
