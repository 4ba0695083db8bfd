"""The command ``install``: link the programs to where smtpd looks for them."""
