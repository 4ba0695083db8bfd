"""smtpd as plain data: a model of the server that judges what plugins write."""
