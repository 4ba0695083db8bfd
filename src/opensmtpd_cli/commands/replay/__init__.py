"""The commands ``show`` and ``replay``: captures of filter-record and table-record."""
