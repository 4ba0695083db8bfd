"""Authentication-Results (RFC 8601): what mail programs read about the checks of a message.

``methods`` has the results of each check, ``write`` makes the field of them, ``read`` reads one,
and ``remove`` tells which fields of a client pretend to be ours.
"""
