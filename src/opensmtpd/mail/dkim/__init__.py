"""DKIM (RFC 6376, RFC 8463): signing and verifying, without any I/O but the reading of keys.

``canonical_body`` and ``canonical_header`` canonicalize a message, ``signature`` and ``folding``
write the DKIM-Signature field, and ``record`` writes the TXT record of a key. The package ``keys``
has the private keys, and ``sign`` signs with them; ``verify`` verifies with the public keys of
others.
"""
