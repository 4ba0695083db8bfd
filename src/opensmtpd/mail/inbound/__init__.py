"""The judgement of one incoming message, from SPF, DKIM, ARC and DMARC: no I/O.

``judgement`` has a message's results, which ``disposition`` turns into what is done with it.
``results`` writes them for Authentication-Results, ``log_fields`` for the log, and ``report`` for
aggregate reports. ``identities`` asks SPF, ``exemption`` and ``policies`` have the administrator's
exceptions, and ``options`` the options of filter-auth.
"""
