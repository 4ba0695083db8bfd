"""The command ``dns``: the records that a domain should have, and those that it has."""
