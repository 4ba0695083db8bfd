"""Sign messages.

``signer`` turns the lines of a message into DKIM-Signature fields, ``style`` has the
administrator's choices for them, ``smtpd_changes`` foresees the changes that smtpd makes to a
message after its filters, ``left_out`` has the fields that a signature must not cover, and
``strangers`` the domains without a key that the log has named.
"""
