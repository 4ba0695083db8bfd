"""Ask name servers, and remember their replies.

``resolver`` has the resolver of a filter. ``inflight`` shares equal questions, ``waits`` keeps the
deadlines of those who ask, ``heartbeat`` finds a process that hangs, ``cache`` remembers replies,
``records`` and ``replies`` check them, and ``orders`` are what the process in ``process`` is told.
"""
