"""A private OpenSMTPD: a real smtpd in a network of its own, for the demo and the tests.

``python -m lab demo`` shows it, ``python -m lab run COMMAND…`` runs a command inside. Nothing
collides with the host and nothing can leave: network, mounts and processes are namespaces that end
with the command.
"""
