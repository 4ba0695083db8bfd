"""The DNS about the keys, names and addresses of a mail server: lookups without I/O.

``published_key`` compares a key with its record, ``spf_records`` and ``policies`` read the records
of a domain, ``hosts`` asks for names and addresses, and ``zone_lines`` writes records.
"""
