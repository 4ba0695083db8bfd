"""This machine: smtpd's users and directories, and files that come into being whole."""
