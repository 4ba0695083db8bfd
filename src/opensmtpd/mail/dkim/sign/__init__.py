"""DKIM signatures: which fields are covered, and what smtpd still changes afterwards."""
