"""Aggregate reports (RFC 9990): what is kept of judged messages, and how domains are told of it.

``record`` has the data of one message, as a filter hands it to ``keeper``; the process of
``worker`` counts it in the database of ``store``. ``document`` writes the XML of a report, ``uris``
and ``external`` say where it goes, and ``message`` is the mail that carries it.

``parser`` reads reports of others, which ``containers`` has taken out of mails (``attachments``)
and archives (``zip_file``).
"""
