"""The command ``genkey``: make a key for filter-dkimsign, or its successor."""
