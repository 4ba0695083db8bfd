"""The rules of smtpd.conf's grammar (parse.y), from the words of a directive to its record."""
