"""The rules and tables of smtpd, as smtpd applies them to an envelope."""
