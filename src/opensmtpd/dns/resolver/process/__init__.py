"""The resolver's process: the only one that talks to name servers; it sees no mail.

``worker`` is the class that a pool starts, ``service`` answers its requests, ``name_servers``
bounds the questions that ``channel`` asks through aiodns, whose sockets ``watched`` watches, and
``direct`` by packets of ``message`` where c-ares refuses the name. ``answers`` is what both keep of
an answer. ``cache_file`` and ``cache_saver`` keep replies across restarts; ``absences`` learns for
how long an absence may be remembered, from the zones that ``zone_cuts`` names.
"""
