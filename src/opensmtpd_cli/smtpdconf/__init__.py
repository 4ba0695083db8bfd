"""smtpd.conf: read it, find its table and filter lines, show what would change."""
