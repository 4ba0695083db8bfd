"""Passwords and users of a Dovecot, asked over its sockets.

``codec`` has the lines of its authentication protocol, without I/O. ``auth`` speaks to the socket
of clients, where passwords are checked, ``userdb`` to the one where users are looked up;
``connection`` has both, and ``config`` says where they are.
"""
