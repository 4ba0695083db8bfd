"""The process that talks to milters: a chain of connections for each client of smtpd."""
