"""The command ``lookup``: ask a table as smtpd would."""
