"""Private keys for DKIM.

``key`` has the key that signs, ``load`` reads it from a file, ``pem`` decodes the file, and
``pem_faults`` tells what else a file is. ``key_table`` reads the file that gives domains their
keys, ``names`` judges domains and selectors, ``keyring`` finds the keys for a domain, ``generate``
makes new ones, and ``memory`` keeps others from reading them in this process.
"""
