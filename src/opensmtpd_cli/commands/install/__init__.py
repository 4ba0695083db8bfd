"""The command ``install``: link the plugins to where smtpd looks for them."""
