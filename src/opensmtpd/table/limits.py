"""The largest keys, ids and directories that smtpd takes from a table."""

VALUE_MAX = 2047
"""Bytes of a value: smtpd copies values into buffers of 2,048 (``LINE_MAX``)."""
KEY_MAX = 1023
"""Bytes of a key or a row: smtpd lower-cases it into a buffer of 1,024 (``table_lookup`` in
``table.c``). It drops a longer one in a table file, without a message (``table_static_priv_add`` in
``table_static.c``).
"""

ID_MAX = 2**32 - 1
"""The highest user and group id (``UID_MAX`` of smtpd)."""

HOME_MAX = VALUE_MAX - len(f"{ID_MAX}:{ID_MAX}:")
"""Bytes of a home directory."""
