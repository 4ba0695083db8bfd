"""DNS lists (RFC 5782): the questions to them, their answers, and which lists to believe.

``lists`` has the lists and their questions, ``command`` reads them from a command line, ``masks``
matches return codes, ``answers`` asks the lists for findings, ``health`` keeps track of lists that
are dead or list everybody, ``tally`` adds up the scores, and ``marks`` has the header fields.
"""
