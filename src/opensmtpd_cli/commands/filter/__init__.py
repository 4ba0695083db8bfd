"""The command ``filter``: run a message through a filter as smtpd would."""
