"""Ask name servers, and remember their replies.

``resolver`` has the resolver of a process. ``inflight`` has the questions in flight, ``channel``
asks them through aiodns, ``servers`` reads the addresses of name servers, ``cache`` remembers
replies, ``cache_file`` and ``cache_saver`` keep them across restarts, and ``zone_cuts`` names the
zones that tell for how long an absence is remembered.
"""
