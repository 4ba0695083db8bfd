"""smtpd's end of a plugin: start it, talk to it, judge what it says."""
