"""``opensmtpd-plugins check``: look at a server's configuration, and at all around it."""
