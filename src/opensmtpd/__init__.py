"""Plugins for OpenSMTPD: the protocol core that filters and tables stand on."""
