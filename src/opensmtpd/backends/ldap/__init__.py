"""Rows that a directory has: LDAP (RFC 4511), by libldap, in a worker.

``config`` reads a configuration file of table-ldap into a ``backend``; ``filters`` has its filters,
into which keys are put so that nothing in a key means anything; ``connection`` asks the server, by
``directory``, where each step of libldap has its deadline; ``entries`` makes values of its reply.
"""
