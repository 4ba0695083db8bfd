"""State that lasts beyond a session, and that several machines may share: small atomic steps.

``LastingState`` is what a filter has: its methods return Deferreds, and a step that cannot be done
in time ends with UNKNOWN. The steps are taken in a worker: by ``file`` in an SQLite database of the
filter's own, a file or the worker's memory, by ``valkey`` in a server that several filters share.
``options`` has the option by which an administrator chooses, ``existing`` the state for a command.
"""
