"""What smtpd does with an envelope by its rules and tables."""
