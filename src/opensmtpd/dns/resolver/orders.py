"""The requests to the resolver's process: lists that begin with one of these numbers.

ASK: name, type of record; the reply is one of ``replies``. ALIVE: nothing; whether it serves.
REREAD: the name servers of resolv.conf. SAVE: the cache file. KEPT: number; that part of the cache
file, a list of ``[name, type, *reply]``, empty behind the last.
"""

ASK, ALIVE, REREAD, SAVE, KEPT = range(5)
