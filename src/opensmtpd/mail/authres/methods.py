"""A result of each method, with its properties in the order of the C filter-auth.

Sources of the names: RFC 8601 section 2.7, RFC 6008 (header.b), RFC 8617 section 10.2 (ARC),
RFC 9989 section 9.1 (DMARC). All arguments are text of any characters; "" leaves a property out.
"""

from opensmtpd.mail.authres.write import Result

_SIGNATURE_MAX = 8
"""Characters of b= that tell two signatures apart (RFC 6008 section 4)."""


def dkim(
    result: str,
    reason: str = "",
    *,
    selector: str = "",
    domain: str = "",
    algorithm: str = "",
    signature: str = "",
) -> Result:
    """Return the result of a signature, or ``dkim("none")``; ``signature`` is the whole b=."""
    properties = (
        ("header.s", selector),
        ("header.d", domain),
        ("header.a", algorithm),
        ("header.b", signature[:_SIGNATURE_MAX]),
    )
    return _made("dkim", result, reason, properties)


def arc(result: str, reason: str = "", *, instance: int = 0, oldest_pass: int = 0) -> Result:
    """Return the result of the chain; 0 stands for no such number."""
    properties = (
        ("header.i", str(instance or "")),
        ("header.oldest-pass", str(oldest_pass or "")),
    )
    return _made("arc", result, reason, properties)


def iprev(result: str, address: str, reason: str = "") -> Result:
    """Return the result for the client's address (RFC 8601 section 2.7.3)."""
    return _made("iprev", result, reason, (("policy.iprev", address),))


def spf_helo(result: str, domain: str, reason: str = "") -> Result:
    """Return the result for the argument of HELO; C writes ``postmaster@`` in front of it."""
    return _made("spf", result, reason, (("smtp.helo", domain),))


def spf_mailfrom(result: str, sender: str, reason: str = "") -> Result:
    """Return the result for MAIL FROM; ``sender`` is ``postmaster@HELO`` for the null sender."""
    return _made("spf", result, reason, (("smtp.mailfrom", sender),))


def dmarc(result: str, domain: str = "", policy: str = "", reason: str = "") -> Result:
    """Return the result for the author's domain; ``policy`` is the one that is applied."""
    return _made("dmarc", result, reason, (("header.from", domain), ("policy.dmarc", policy)))


def auth(user: str) -> Result:
    """Return the result of a client that logged in (RFC 8601 section 2.7.4)."""
    return _made("auth", "pass", "", (("smtp.auth", user),))


def _made(method: str, result: str, reason: str, properties: tuple[tuple[str, str], ...]) -> Result:
    return Result(method, result, reason, tuple(pair for pair in properties if pair[1]))
