"""No password is in a capture, wherever chunks of the talk end and whatever is lost."""

import base64
import string

from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.capture.format import CaptureKind, Speaker
from opensmtpd.capture.writer import CaptureSettings, redaction

S, P = Speaker.SMTPD, Speaker.PLUGIN
HEAD = b"0.7|1795335705.127288|smtp-in"
PASSWORDS = st.text(string.ascii_letters + string.digits + "!|:= ", max_size=15).map(
    lambda text: b"Pa55-" + text.encode()
)
REGISTERED = [
    (S, b"config|smtpd-version|7.6.0\nconfig|ready\n"),
    (P, b"".join(b"register|report|smtp-in|%s\n" % each for each in (
        b"link-auth", b"protocol-client", b"protocol-server", b"filter-response", b"tx-mail"))),
    (P, b"register|filter|smtp-in|auth\nregister|filter|smtp-in|ehlo\nregister|ready\n"),
]  # fmt: skip


def forms(password: bytes) -> list[bytes]:
    """Return the password as a client or a table may send it."""
    return [
        password,
        base64.b64encode(password),
        base64.b64encode(b"\0alice\0" + password),
        b"$6$salt$" + base64.b64encode(password),
    ]


def session(number: int, password: bytes) -> list[tuple[Speaker, bytes]]:
    """Return what is said while one client logs in in all ways, with lines of others between."""
    one, token = b"%016x" % number, b"%016x" % (number + 1000)
    raw, plain, both, _ = forms(password)
    report, ask = b"report|%s|%%s|%s|" % (HEAD, one), b"filter|%s|%%s|%s|" % (HEAD, one)
    return [
        (S, report % b"protocol-client" + b"EHLO client.example\n"),
        (S, ask % b"ehlo" + token + b"|client.example\n"),
        (P, b"filter-result|%s|%s|proceed\n" % (one, token)),
        (S, report % b"protocol-client" + b"AUTH PLAIN " + both + b"\n"),
        (S, ask % b"auth" + token + b"|PLAIN " + both + b"\n"),
        (P, b"filter-result|%s|%s|reject|535 not %s %s\n" % (one, token, raw, both)),
        (S, report % b"filter-response" + b"auth|rewrite|" + both + b"\n"),
        (S, report % b"protocol-client" + b"auth login " + plain + b"\n"),
        (S, report % b"protocol-server" + b"334 UGFzc3dvcmQ6\n"),
        (S, report % b"protocol-client" + plain + b"\n"),
        (S, report % b"link-auth" + b"fail|" + raw + b"\n"),
        (S, report % b"tx-mail" + b"018a64ac|ok|a@example.com\n"),
    ]


def table(number: int, password: bytes) -> list[tuple[Speaker, bytes]]:
    head = b"table|0.1|1795335705.127288|users|"
    raw, _, _, hash = forms(password)
    ids = [b"%08x" % (number * 10 + each) for each in range(4)]
    return [
        (S, head + b"lookup|alias|%s|alice\n" % ids[0]),
        (P, b"lookup-result|%s|found|bob\n" % ids[0]),
        (S, head + b"check|auth|%s|alice\n%s\nalice:%s\n" % (ids[1], raw, raw)),
        (P, b"check-result|%s|error|not %s\n" % (ids[1], raw)),
        (S, head + b"lookup|credentials|%s|alice:%s\n" % (ids[2], raw)),
        (P, b"lookup-result|%s|found|alice:%s\n" % (ids[2], hash)),
        (P, b"lookup-result|%s|found|%s\n" % (ids[3], raw)),
    ]


@given(
    st.sampled_from(CaptureKind),
    st.lists(PASSWORDS, min_size=1, max_size=4),
    st.lists(st.integers(1, 200), min_size=1),
    st.sets(st.integers(0, 400), max_size=6),
    st.booleans(),
)
def test_no_password_is_recorded(
    kind: CaptureKind, passwords: list[bytes], sizes: list[int], losses: set[int], bodies: bool
) -> None:
    """Chunks have the given sizes, in turn; those of some numbers are lost."""
    clean = redaction(kind, CaptureSettings("", 0, 0, bodies=bodies))
    talk = REGISTERED if kind is CaptureKind.FILTER else []
    for number, password in enumerate(passwords):
        talk = talk + (session if kind is CaptureKind.FILTER else table)(number, password)
    recorded = b""
    chunk = 0
    for speaker, data in talk:
        at = 0
        while at < len(data):
            size = sizes[chunk % len(sizes)]
            if chunk in losses:
                clean.lost(speaker)
            else:
                for lines, _ in clean.feed(speaker, data[at : at + size]):
                    recorded += lines
            at += size
            chunk += 1
    for password in passwords:
        for form in forms(password):
            assert form not in recorded
    if not losses:
        assert b"***" in recorded
        assert (b"EHLO client.example" if kind is CaptureKind.FILTER else b"|found|bob") in recorded
