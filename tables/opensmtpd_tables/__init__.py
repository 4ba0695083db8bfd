"""Table backends for OpenSMTPD: one module, one program."""
