"""Sign messages.

``signer`` turns the lines of a message into DKIM-Signature fields, ``style`` has the
administrator's choices for them, and ``smtpd_changes`` foresees the changes that smtpd makes to a
message after its filters.
"""
