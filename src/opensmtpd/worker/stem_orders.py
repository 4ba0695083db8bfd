"""The orders of a front to a stem, each a frame ``[order, *arguments]``.

BEGIN: program, syslog, pid of the front, whether it is confined. LOAD: setup. WORKER, STEM:
with a descriptor. KILL: process id.
"""

BEGIN, LOAD, WORKER, STEM, KILL = range(5)
