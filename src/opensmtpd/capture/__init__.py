"""Captures of what smtpd and a plugin say to each other: recorded, taken apart, played again."""
