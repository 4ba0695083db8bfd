"""Verifying DKIM signatures while a message arrives (RFC 6376, RFC 8301, RFC 8463, RFC 8616).

``verifier`` judges all signatures of one message. It reads them with ``tags`` and ``signature``,
has the body hashed by ``bodies``, finds what was signed with ``signed_data``, and reads the keys
with ``key_record``. ``claims`` is what it asks ``keys_worker``, the process that alone loads the
package cryptography.
"""
