"""The filter protocol: requests, reports and data lines of smtpd's sessions."""
