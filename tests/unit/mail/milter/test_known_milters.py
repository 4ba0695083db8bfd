"""What OpenDKIM, OpenDMARC, milter-greylist and others say, byte by byte.

The replies of OpenDKIM 2.11.0 and OpenDMARC 1.4.2 are those that these programs sent, shortened;
those of the others are written after the definition of the protocol.
"""

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from opensmtpd.errors import ProtocolError
from opensmtpd.mail.milter.commands import chunks
from opensmtpd.mail.milter.header import HeaderEdits, MilterHeader
from opensmtpd.mail.milter.modifications import Modified, apply
from opensmtpd.mail.milter.negotiation import Negotiated
from opensmtpd.mail.milter.replies import MilterReply, Modification, PlainReply, QuarantineMail
from opensmtpd.mail.milter.reply_text import ReplyCode
from opensmtpd.mail.milter.session import MilterSession, Sent
from unit.support.milter_talk import SIZES, hear

OPENDKIM = b"\0\0\0\rO\0\0\0\6\0\0\x01\x11\0\x10\x07\x02"
OPENDMARC = b"\0\0\0\rO\0\0\0\6\0\0\0\x21\0\0\x07\x10"
GREYLIST = b"\0\0\0\rO\0\0\0\6\0\0\0\x01\0\0\x03\x30"
SPAMASS = b"\0\0\0\rO\0\0\0\2\0\0\0\x13\0\0\0\0"
CONTINUE = b"\0\0\0\1c"
KNOWN = {"j": b"mx.example.net", "i": b"0123abcd"}
Script = list[tuple[bytes, bytes]]
"""What the milter gets, and what it replies."""

pytestmark = pytest.mark.parametrize("size", SIZES)


class Milter:
    """Plays a script: each step must send what stands there."""

    def __init__(self, script: Script, size: int) -> None:
        self._script, self._size = iter(script), size
        self.session = MilterSession()

    def __call__(self, step: Callable[[], Sent]) -> list[Negotiated | MilterReply]:
        sent = step()
        if not sent.data:
            assert not sent.due
            return []
        expected, replies = next(self._script)
        assert sent.data == expected
        assert sent.due is bool(replies)
        got = hear(self.session, replies, self._size)
        assert not self.session.due
        return got

    def over(self) -> bool:
        return next(self._script, None) is None


def begin(milter: Milter) -> None:
    session = milter.session
    milter(session.negotiate)
    milter(lambda: session.connect(b"c.example.org", ip_address("192.0.2.1"), 4711, KNOWN))
    milter(lambda: session.helo(b"c.example.org", KNOWN))
    milter(lambda: session.mail(b"a@example.org", KNOWN))
    milter(lambda: session.rcpt(b"b@example.net", KNOWN))


def content(milter: Milter, header: MilterHeader, body: list[bytes]) -> Modified:
    """Send a message, and make the modifications."""
    session = milter.session
    milter(lambda: session.data(KNOWN))
    for name, value in header.fields():
        milter(lambda name=name, value=value: session.header(name, value))  # type: ignore[misc]
    milter(lambda: session.eoh(KNOWN))
    for chunk in chunks(b"".join([line + b"\n" for line in body])):
        milter(lambda chunk=chunk: session.body(chunk))  # type: ignore[misc]
    *replies, verdict = milter(lambda: session.eom(KNOWN))
    assert verdict in (PlainReply.ACCEPT, PlainReply.CONTINUE)
    made = [each for each in replies if isinstance(each, Modification)]
    return apply(header, made, leading_space=session.options.leading_space)


OFFER = b"\0\0\0\rO\0\0\0\6\0\0\x01\xff\0\x1f\xff\xff"
CONNECT = b"\0\0\0\x13DCj\0mx.example.net\0\0\0\0\x1cCc.example.org\x004\x12\x67192.0.2.1\0"
HELO = b"\0\0\0\x0fHc.example.org\0"
MAIL = b"\0\0\0\x0dDMi\x000123abcd\0\0\0\0\x11M<a@example.org>\0"
RCPT = b"\0\0\0\x0dDRi\x000123abcd\0\0\0\0\x11R<b@example.net>\0"
MACROS_OF_DATA = b"\0\0\0\x0dDTi\x000123abcd\0"
EOH = b"\0\0\0\x0dDNi\x000123abcd\0\0\0\0\1N"
EOM = b"\0\0\0\x0dDEi\x000123abcd\0\0\0\0\1E"


def test_opendkim_signs(size: int) -> None:
    """It wants values with their space, neither HELO nor DATA, and inserts a field with folds."""
    milter = Milter(
        [
            *((OFFER, OPENDKIM), (CONNECT, CONTINUE), (MAIL, CONTINUE), (RCPT, CONTINUE)),
            (MACROS_OF_DATA, b""),
            (b"\0\0\0\x15LFrom\0 a@example.org\0", CONTINUE),
            (b"\0\0\0\x1cLSubject\0  two spaces\n\tfold\0", CONTINUE),
            (EOH, CONTINUE),
            (b"\0\0\0\x0eBHello\r\n\r\n.x\r\n", CONTINUE),
            (
                EOM,
                b"\0\0\0\x5di\0\0\0\0DKIM-Signature\0 v=1; a=rsa-sha256; c=relaxed/simple;"
                b" d=example.org; s=mail;\n\tb=dZICRoTN\0\0\0\0\1a",
            ),
        ],
        size,
    )
    begin(milter)
    header = MilterHeader([(b"From", b" a@example.org"), (b"Subject", b"  two spaces\n\tfold")])
    assert content(milter, header, [b"Hello", b"", b".x"]) == (None, [])
    value = b" v=1; a=rsa-sha256; c=relaxed/simple; d=example.org; s=mail;\n\tb=dZICRoTN"
    assert header.edits() == HeaderEdits([], [], [(0, b"DKIM-Signature", value)])
    assert milter.over()
    assert milter.session.quit() == b"\0\0\0\1Q"


def test_opendkim_verifies(size: int) -> None:
    """It skips a body without a signature, and removes forged results from the last one up."""
    milter = Milter(
        [
            *((OFFER, OPENDKIM), (CONNECT, CONTINUE), (MAIL, CONTINUE), (RCPT, CONTINUE)),
            (MACROS_OF_DATA, b""),
            (b"\0\0\0\x33LAuthentication-Results\0 mx.example.net; dkim=pass\0", CONTINUE),
            (b"\0\0\0\x32LAuthentication-Results\0 other.example; dkim=pass\0", CONTINUE),
            (b"\0\0\0\x33LAuthentication-Results\0 mx.example.net; dkim=fail\0", CONTINUE),
            (EOH, CONTINUE),
            (b"\0\1\0\0B" + b"x" * 65_535, b"\0\0\0\1s"),
            (
                EOM,
                b"\0\0\0\x1dm\0\0\0\3Authentication-Results\0\0"
                b"\0\0\0\x1dm\0\0\0\1Authentication-Results\0\0"
                b"\0\0\0Ji\0\0\0\0Authentication-Results\0"
                b" mx.example.net; dkim=none; dkim-atps=neutral\0"
                b"\0\0\0\1a",
            ),
        ],
        size,
    )
    begin(milter)
    name = b"Authentication-Results"
    header = MilterHeader(
        [
            (name, b" mx.example.net; dkim=pass"),
            (name, b" other.example; dkim=pass"),
            (name, b" mx.example.net; dkim=fail"),
        ]
    )
    assert content(milter, header, [b"x" * 200_000]) == (None, [])
    results = b" mx.example.net; dkim=none; dkim-atps=neutral"
    assert header.edits() == HeaderEdits([0, 2], [], [(0, name, results)])
    assert milter.over()


def test_opendmarc_quarantines(size: int) -> None:
    """It wants no body, leaves the space to the MTA, and inserts one above the other."""
    milter = Milter(
        [
            *((OFFER, OPENDMARC), (CONNECT, CONTINUE), (HELO, CONTINUE), (MAIL, CONTINUE)),
            *((RCPT, CONTINUE), (MACROS_OF_DATA, b"")),
            (b"\0\0\0\x14LFrom\0a@example.org\0", CONTINUE),
            (EOH, CONTINUE),
            (
                EOM,
                b"\0\0\0Oi\0\0\0\0Authentication-Results\0"
                b"mx.example.net; spf=none smtp.mailfrom=example.org\0"
                b"\0\0\0ai\0\0\0\0Authentication-Results\0"
                b"mx.example.net; dmarc=none (p=none dis=none) header.from=example.org\0"
                b"\0\0\0\x10qquarantined by\0"
                b"\0\0\0\1a",
            ),
        ],
        size,
    )
    begin(milter)
    header = MilterHeader([(b"From", b" a@example.org")])
    assert content(milter, header, [b"x"]) == (None, [QuarantineMail("quarantined by")])
    name = b"Authentication-Results"
    dmarc = b" mx.example.net; dmarc=none (p=none dis=none) header.from=example.org"
    spf = b" mx.example.net; spf=none smtp.mailfrom=example.org"
    assert header.edits() == HeaderEdits([], [], [(0, name, dmarc), (0, name, spf)])
    assert milter.over()


def test_greylisting(size: int) -> None:
    """It wants neither header nor body, and refuses a recipient for now with its own words."""
    later = b"\0\0\0\x3fy451 4.7.1 Greylisting in action, please come back in 00:05:00\0"
    milter = Milter(
        [
            *((OFFER, GREYLIST), (CONNECT, CONTINUE), (HELO, CONTINUE), (MAIL, CONTINUE)),
            *((RCPT, later), (RCPT, CONTINUE), (MACROS_OF_DATA, b"")),
            (EOH, CONTINUE),
            (EOM, CONTINUE),
        ],
        size,
    )
    session = milter.session
    milter(session.negotiate)
    milter(lambda: session.connect(b"c.example.org", ip_address("192.0.2.1"), 4711, KNOWN))
    milter(lambda: session.helo(b"c.example.org", KNOWN))
    milter(lambda: session.mail(b"a@example.org", KNOWN))
    assert milter(lambda: session.rcpt(b"b@example.net", KNOWN)) == [
        ReplyCode(451, "4.7.1 Greylisting in action, please come back in 00:05:00")
    ]
    assert not session.passed
    milter(lambda: session.rcpt(b"b@example.net", KNOWN))
    assert content(milter, MilterHeader([(b"From", b" a")]), [b"x"]) == (None, [])
    assert milter.over()


def test_spamass_milter_of_version_2(size: int) -> None:
    """It reads the whole message, and replaces the body in pieces while it works on it."""
    milter = Milter(
        [
            *((OFFER, SPAMASS), (CONNECT, CONTINUE), (HELO, CONTINUE), (MAIL, CONTINUE)),
            *((RCPT, CONTINUE), (MACROS_OF_DATA, b"")),
            (b"\0\0\0\x10LSubject\0Money!\0", CONTINUE),
            (EOH, CONTINUE),
            (b"\0\0\0\6Bbuy\r\n", CONTINUE),
            (
                EOM,
                b"\0\0\0\1p"
                b"\0\0\0\x15m\0\0\0\1X-Spam-Flag\0YES\0"
                b"\0\0\0\x19m\0\0\0\1Subject\0*SPAM*Money\0"
                b"\0\0\0\1p"
                b"\0\0\0\x09bSpam det"
                b"\0\0\0\x07bails:\r"
                b"\0\0\0\5b\n\r\n."
                b"\0\0\0\1c",
            ),
        ],
        size,
    )
    begin(milter)
    header = MilterHeader([(b"Subject", b" Money!")])
    assert content(milter, header, [b"buy"]) == (b"Spam details:\n\n.\n", [])
    assert header.edits() == HeaderEdits([], [(0, b" *SPAM*Money")], [(1, b"X-Spam-Flag", b" YES")])
    assert milter.over()


def test_clamav_milter_refuses_at_the_end(size: int) -> None:
    milter = Milter(
        [
            *((OFFER, SPAMASS), (CONNECT, CONTINUE), (HELO, CONTINUE), (MAIL, CONTINUE)),
            *((RCPT, CONTINUE), (MACROS_OF_DATA, b""), (EOH, CONTINUE)),
            (b"\0\0\0\4Bx\r\n", CONTINUE),
            (EOM, b"\0\0\0\x28y550 5.7.1 virus Eicar-Signature found.\0"),
        ],
        size,
    )
    begin(milter)
    session = milter.session
    milter(lambda: session.data(KNOWN))
    milter(lambda: session.eoh(KNOWN))
    milter(lambda: session.body(b"x\r\n"))
    assert milter(lambda: session.eom(KNOWN)) == [
        ReplyCode(550, "5.7.1 virus Eicar-Signature found.")
    ]
    assert milter.over()


def test_opendmarc_closes_where_an_action_is_missing(size: int) -> None:
    """So all of them are offered; a milter that asks for more than that is refused."""
    milter = Milter([(OFFER, b"\0\0\0\rO\0\0\0\6\0\0\2\x21\0\0\x07\x10")], size)
    with pytest.raises(ProtocolError, match="actions that do not exist: 0x200"):
        milter(milter.session.negotiate)
