"""The engine without I/O: bytes from smtpd in, calls of handlers, bytes for smtpd out."""
