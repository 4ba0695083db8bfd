"""Filters for OpenSMTPD: one module, one program."""
