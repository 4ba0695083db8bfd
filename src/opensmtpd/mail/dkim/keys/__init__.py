"""Private keys for DKIM.

``key`` has the key that signs, ``load`` reads it from a file, ``pem`` decodes the file, and
``pem_faults`` tells what else a file is. ``key_table`` reads the file that gives domains their
keys, ``names`` judges domains and selectors, ``named_keys`` reads all keys of a configuration,
``generate`` makes new ones, and ``memory`` keeps others from reading them in this process.
``library`` has the functions of the package cryptography that processes with keys need.
``signing_worker`` is the process that holds the keys of filter-dkimsign; ``keyring`` is what that
filter knows of them: which one signs for a domain.
"""
