"""DMARC (RFC 9989): may this message say that it is from the domain of its author?

``author`` reads the author's domain, ``record`` a policy record, ``walk`` climbs the DNS to find
them, and ``policy`` judges a message by the results of SPF and DKIM. The folder ``reports`` has the
aggregate reports about policies (RFC 9990).
"""
