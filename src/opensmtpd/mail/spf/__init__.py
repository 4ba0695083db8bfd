"""SPF (RFC 7208): may this client send mail in the name of this domain?

``check`` has ``check_host``, a lookup, and ``identity`` makes its arguments of HELO and MAIL FROM.
``record`` parses records, ``macros`` parses and expands macros, ``page`` is a record as one client
meets it, and ``walk`` evaluates records with the replies that there are so far.
"""
