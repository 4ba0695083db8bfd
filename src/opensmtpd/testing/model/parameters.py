"""The ESMTP parameters of MAIL FROM and RCPT TO, and the replies that refuse them.

Sources: ``smtp_tx_mail_from`` and ``smtp_tx_rcpt_to`` in ``smtp_session.c``, and ``valid_xtext`` in
``util.c``. Parameters are read behind the filters.
"""

import re
from collections.abc import Iterable, MutableSet

from opensmtpd.testing.model.registry import Release
from opensmtpd.testing.model.syntax import valid_domain, valid_local_part

_MAIL = re.compile(rb"(?:AUTH=|SIZE=|RET=).*|BODY=(?:7BIT|8BITMIME)", re.IGNORECASE | re.DOTALL)
_ENVID_MAX = 100
_ORCPT_MAX = 500
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_EVENTS = frozenset([b"SUCCESS", b"FAILURE", b"DELAY"])
_NOTIFY = _EVENTS | {b"NEVER"}


def mail_refusal(parameters: Iterable[bytes]) -> bytes | None:
    """Return the reply to MAIL FROM with these parameters, None if smtpd takes them."""
    head = b"503 5.5.4 Invalid command arguments: "
    for each in parameters:
        if each.upper().startswith(b"ENVID="):
            if len(each) - 6 > _ENVID_MAX:
                return head + b"option too large, truncated: " + each[6:]
        elif not _MAIL.fullmatch(each):
            return head + b"Unsupported option " + each
    return None


def rcpt_refusal(
    parameters: Iterable[bytes], notify: MutableSet[bytes], release: Release
) -> bytes | None:
    """Return the reply to RCPT TO with these parameters, None if smtpd takes them.

    ``notify`` are the values of NOTIFY so far. smtpd keeps them for the whole transaction, those of
    other recipients and of refused commands too.
    """
    for each in parameters:
        _, _, value = each.partition(b"=")
        if each.upper().startswith(b"NOTIFY="):
            notify |= _NOTIFY.intersection(value.upper().split(b","))
            if b"NEVER" in notify and notify & _EVENTS:
                return b"553 NOTIFY option NEVER cannot be combined with other options"
        elif each.upper().startswith(b"ORCPT="):
            if not _valid_orcpt(value, release):
                return b"553 ORCPT address syntax error"
        else:
            return b"503 Unsupported option " + each
    return None


def _valid_orcpt(value: bytes, release: Release) -> bool:
    if release.orcpt_xtext:
        _, semicolon, text = value.partition(b";")
        return bool(semicolon and _XTEXT.fullmatch(text)) and len(value) <= _ORCPT_MAX
    address = value[7:] if value.lower().startswith(b"rfc822;") else value
    user, at, domain = address.rpartition(b"@")
    if not at:
        user, domain = domain, b""
    return valid_local_part(user, release) and (not domain or valid_domain(domain))
