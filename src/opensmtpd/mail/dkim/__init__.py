"""DKIM (RFC 6376, RFC 8463): signing, without any I/O but the reading of keys.

One concern a module: ``body`` and ``fields`` canonicalize, ``author`` finds the domain of the From
field, ``edits`` knows what smtpd will still change, ``folding`` and ``signature`` write the
DKIM-Signature field, ``keys`` and ``keyring`` hold what to sign with, ``style`` says how, and
``signer`` puts them together.
"""
