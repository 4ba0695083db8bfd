"""The commands ``user``, ``alias`` and ``domain``: edit the rows of a database."""
