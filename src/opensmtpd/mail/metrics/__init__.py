"""Metrics of smtpd and of its plugins, for Prometheus: counted, read, written and served.

``sessions`` counts what reports say, ``programs`` reads the files in which other plugins count,
``exposition`` writes both as OpenMetrics, ``output`` puts that into a file, and ``server`` gives it
to who asks at a unix socket.
"""
