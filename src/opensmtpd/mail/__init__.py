"""The RFCs and policies of mail, a folder for each; no byte of smtpd's protocol.

``client`` has the client that they look at, ``mailboxes`` reads the domains of a From field.
"""
