"""``opensmtpd-plugins dmarc``: aggregate reports to others, and from them."""
