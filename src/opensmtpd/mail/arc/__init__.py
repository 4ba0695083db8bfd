"""ARC, the Authenticated Received Chain (RFC 8617): verified, and sealed, without any I/O.

Each mail system on the way may add a set of three fields: the results of its checks, a signature of
the message as it left, and a seal over all sets so far. ``chain`` finds the sets, ``verify`` judges
them, and ``seal`` writes the fields of the next one.
"""
