"""The commands ``import`` and ``export``: move smtpd's tables to SQLite and back."""
