"""The network addresses and interfaces of this machine."""
