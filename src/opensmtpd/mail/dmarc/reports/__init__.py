"""Aggregate reports (RFC 9990): what is kept of judged messages, and how domains are told of it.

``record`` has the data of one message, as a filter hands it to ``keeper``; the process of
``worker`` counts it in the database of ``store``.
"""
