"""What rspamd has filter-rspamd write into a message, on smtpd 7.6 and 7.9."""

from typing import Any

import dkim
import pytest

from integration.support.rspamd_mail import Lines, Wanted, composed
from integration.support.rspamd_scenes import FROM, SETTINGS, deliver, header, prepare
from lab.peers import arc_judges
from lab.peers.rspamd.server import RspamdServer
from lab.support import Lab, setups

pytestmark = pytest.mark.parametrize(
    "running", setups("rspamd-headers", prepare), indirect=True, ids=str
)


def added(value: Any) -> Wanted:
    """Return an order to have X-New with this value."""
    return {"milter": {"add_headers": {"X-New": value}}}


X_LAB, RECEIVED = b"X-Lab:", b"Received:"
PLACES: dict[str, tuple[Any, Lines]] = {
    "a text": ("new", [b"X-New: new", RECEIVED, X_LAB, FROM, b"To: x@y.example"]),
    "at 0": (
        {"value": "new", "order": 0},
        [b"X-New: new", RECEIVED, X_LAB, FROM, b"To: x@y.example"],
    ),
    "at 1": (
        {"value": "new", "order": 1},
        [RECEIVED, b"X-New: new", X_LAB, FROM, b"To: x@y.example"],
    ),
    "at 3": (
        {"value": "new", "order": 3},
        [RECEIVED, X_LAB, FROM, b"X-New: new", b"To: x@y.example"],
    ),
    "at 1,000": (
        {"value": "new", "order": 1000},
        [RECEIVED, X_LAB, FROM, b"To: x@y.example", b"X-New: new"],
    ),
    "at -1": (
        {"value": "new", "order": -1},
        [RECEIVED, X_LAB, FROM, b"To: x@y.example", b"X-New: new"],
    ),
    "at -2": (
        {"value": "new", "order": -2},
        [RECEIVED, X_LAB, FROM, b"X-New: new", b"To: x@y.example"],
    ),
    "at -1,000": (
        {"value": "new", "order": -1000},
        [b"X-New: new", RECEIVED, X_LAB, FROM, b"To: x@y.example"],
    ),
    "nowhere": ({"value": "new"}, [RECEIVED, X_LAB, FROM, b"To: x@y.example", b"X-New: new"]),
    "a list of texts": (
        ["1", "2"],
        [b"X-New: 1", b"X-New: 2", RECEIVED, X_LAB, FROM, b"To: x@y.example"],
    ),
    "a list of both": (
        ["1", {"value": "2", "order": 1}, {"value": "3", "order": -1}],
        [b"X-New: 1", RECEIVED, b"X-New: 2", X_LAB, FROM, b"To: x@y.example", b"X-New: 3"],
    ),
    "folded": (
        "new\n\tfolded\n and more",
        [b"X-New: new", b"\tfolded", b" and more", RECEIVED, X_LAB, FROM, b"To: x@y.example"],
    ),
    "empty": ("", [b"X-New:", RECEIVED, X_LAB, FROM, b"To: x@y.example"]),
}
"""By titles: a value of add_headers, and the header that comes of it."""


@pytest.mark.parametrize(("value", "wanted"), PLACES.values(), ids=PLACES)
def test_where_a_field_is_added(lab: Lab, rspamd: RspamdServer, value: Any, wanted: Lines) -> None:
    message = composed(added(value), [FROM, b"To: x@y.example"], [b"hello"])
    lines = header(deliver(lab, message))
    assert [X_LAB if line.startswith(X_LAB) else line for line in lines] == wanted


HOSTILE = [
    "a\r\n\tb", "a\r\nX-Forged: b", "a\rb", "a\u0000b", "a\n.\nb", "\n\n\n", "a\n\n\tb", "\r", ".",
"a|b|c", "\u00fc\u4e2d", "a\nFrom: b", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:20])
def test_a_value_that_no_header_can_hold(lab: Lab, rspamd: RspamdServer, value: str) -> None:
    """No carriage return and no NUL come to smtpd, and no field but the one."""
    message = deliver(lab, composed(added(value), [FROM], [b"hello"]))
    assert not {b"\r", b"\0"} & {message[n : n + 1] for n in range(len(message))}
    names = [line.partition(b":")[0] for line in header(message) if line[:1] not in b"\t "]
    assert [name for name in names if name != b"X-New"] == [b"Received", b"X-Lab", b"From"]
    assert message.endswith(b"\n\nhello\n")


def test_a_value_that_smtpd_cannot_take(lab: Lab, rspamd: RspamdServer) -> None:
    """It is left out: a line of more than smtpd reads stops it."""
    for length, there in ((60_000, True), (70_000, False), (500_000, False)):
        message = deliver(lab, composed({"long": length}, [FROM], [b"hello"]))
        assert (b"X-New: " + b"x" * length in message) == there
        assert message.endswith(b"\n" + FROM + b"\n\nhello\n")


def test_line_ends_are_never_those_of_the_client(lab: Lab, rspamd: RspamdServer) -> None:
    """Where most lines of a message end in CR, rspamd folds its fields with these."""
    header_lines, blank, body = composed(
        {"dkim": ["rsa"], "arc": ["rsa"]}, [FROM], [b"hello"] * 20
    ).partition(b"\r\n\r\n")
    odd = header_lines + blank + body.replace(b"\r\n", b"\r\r\n")
    message = deliver(lab, odd, SETTINGS)
    assert b"\nDKIM-Signature: " in b"\n" + message
    assert b"\r" not in b"\n".join(header(message))


FORGED = [
    b"X-Spam: no", b"x-spam: no", b"X-SPAM-STATUS: No", b"X-Spam-Level: *", b"X-Spamd-Bar: --",
    b"x-sPAMD-rESULT: default: False", b"\tx", b"X-Rspamd-Server: me", b"x-rspamd-queue-id: 1",
    b"X-Rspamd-Unscanned: yes", b"X-Spam : no", b"X-Spam\t: no", b"X-Spam-Flag:",
]  # fmt: skip


def test_forged_fields(lab: Lab, rspamd: RspamdServer) -> None:
    kept = [b"X-Spanish: si", FROM, b"X-Rspam: x", b"Y-X-Spam: x"]
    lines = [*FORGED, kept[0], *FORGED, *kept[1:], *FORGED]
    message = deliver(lab, composed({}, lines, [b"X-Spam: a body may say so"]))
    assert header(message) == [b"Received:", *kept]
    marked = header(deliver(lab, composed({"score": 7}, lines, [b"hello"])))
    fields = [line.partition(b":")[0] for line in marked if line[:1] not in b"\t "]
    assert fields == [
        *(b"X-Spam", b"X-Spam-Score", b"X-Spam-Status", b"Received", b"X-Lab"),
        *(line.partition(b":")[0] for line in kept),
    ]
    assert marked[0] == b"X-Spam: yes"


def test_the_fields_of_milter_headers(lab: Lab, rspamd: RspamdServer) -> None:
    """What the module of rspamd writes, each where it wants it."""
    forged = [b"Authentication-Results: example.com; dkim=pass", b"X-Spamd-Bar: ----"]
    order = composed({"score": 2.5}, [*forged, FROM], [b"hello"])
    lines = header(deliver(lab, order, SETTINGS))
    text = b"\n".join(lines) + b"\n"
    assert text.startswith(b"Authentication-Results: example.com;\n\tdkim=none\nReceived:\nX-Lab:")
    assert text.count(b"Authentication-Results:") == text.count(b"X-Spamd-Bar:") == 1
    assert b"\nX-Spamd-Bar: ++\n" in text
    assert b"\nX-Spam-Level: **\n" in text
    assert b"\nX-Spamd-Result: default: False [2.50 / 15.00];\n\tLAB_SCORE(2.50)[];\n\t" in text


def test_signatures_hold(lab: Lab, rspamd: RspamdServer) -> None:
    wanted = {"dkim": ["rsa", "ed25519"], "arc": ["rsa"]}
    fields = [FROM, b"Subject: gr\xc3\xbc\xc3\x9fe", b"To: alice@example.com", b"Date: x"]
    message = deliver(lab, composed(wanted, fields, [b".", b"..", b"", b"\xff  ", b""]))
    names = [line.partition(b":")[0] for line in header(message) if line[:1] not in b"\t "]
    assert names[: names.index(b"Received")] == [
        *(b"DKIM-Signature", b"DKIM-Signature"),
        *(b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"),
    ]
    # dkimpy needs another library for the second.
    judge = dkim.DKIM(message.replace(b"\n", b"\r\n"))
    assert judge.verify(0, dnsfunc=lambda name, timeout=5: key_of(name, rspamd.records))
    assert arc_judges.dkimpy(message, rspamd.records) == "pass"


def key_of(name: bytes, zone: dict[str, str]) -> bytes:
    """Return the record of a key."""
    return zone[name.decode("ascii").removesuffix(".")].encode("ascii")
