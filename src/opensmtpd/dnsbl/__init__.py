"""DNS lists (RFC 5782): what to ask them, what they answer, and whether to believe it.

``masks`` reads return codes, ``lists`` has the lists and their questions, ``command`` reads them
off a command line, ``answers`` makes of replies what was found, ``health`` knows which lists are
dead or lie, ``tally`` adds up, ``marks`` has the header fields.
"""
