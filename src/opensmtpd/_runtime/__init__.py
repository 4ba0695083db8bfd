"""Descriptors, signals, the clock and threads: moves bytes between smtpd and the engine."""
