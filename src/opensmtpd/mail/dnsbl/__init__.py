"""DNS lists (RFC 5782): the questions to them, their answers, and which lists to believe.

``lists`` has the lists and their questions, ``options`` reads them from a command line,
``return_codes`` matches the codes in the answers, ``findings`` asks the lists for findings,
``health`` keeps track of lists that are dead or list everybody, ``score`` adds up the scores, and
``header_fields`` has the header fields.
"""
