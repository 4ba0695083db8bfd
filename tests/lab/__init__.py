"""A private OpenSMTPD: a real smtpd in a network of its own, for the demo and the tests.

Nothing collides with the host and nothing can leave: network, mounts and processes are namespaces
that end with the command. Roots and wheels are kept in ``/var/cache/opensmtpd-plugins``.

``python -m lab demo`` shows it, ``python -m lab run COMMAND…`` runs a command inside, a test say::

    PYTHONPATH=tests .venv/bin/python -m lab run .venv/bin/pytest tests/integration -k NAME
"""
