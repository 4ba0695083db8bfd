"""Commands of clients in hundreds of forms: the model answers as the real smtpd does.

Compared are the replies and all that a filter hears, also of forms that hypothesis makes up.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from integration.support.smtp_forms import Heard, ModelTalker, RealTalker, recording
from lab.support import ALONE

CHARACTERS = [bytes([number]) for number in range(1, 256) if number != ord("\n")]
DOMAINS = [
    *(b"a%sb.example" % one for one in CHARACTERS),
    *rb"localhost 192.0.2.1 a. .a a..b - -a a- a-.b a.-b _a a_ *.a a/b a:b".split(),
    *rb"\120 a\b a\ a\\ a\09 a\300 a\046b a\.b \-a \045a a\000b".split(),
    *rb"[127.0.0.1] [1.2.3] [01.2.3.4] [1.2.3.256] [::1] [IPv6:::1] [ipv6:::1] [IPV6:::1]".split(),
    *rb"[IPv6:1.2.3.4] [IPv6:] [] [ [a] [a.b [::ffff:1.2.3.4] [fe80::1%lo0] [1.2.3.4]x".split(),
    *rb"[1.2.3.4 [1.2.3.4]] [[::1]] [IPv6:::1%1]".split(),
    *(b"x" * 63, b"x" * 64, b"x" * 255, b"x" * 256, b"\xc3\xbc.example"),
    *(b"x." * 126 + b"x", b"x." * 126 + b"xx", b"x." * 127 + b"x", b"x." * 127 + b"xx"),
    *(b"[%s]" % (b"1" * 253), b"[%s]" % (b"1" * 254), b"[IPv6:%s]" % (b"1" * 255)),
]
GREETINGS = [b"", b" a", b"\ta", b"a ", b"a\t", b"a b", b"a\0b"]
ADDRESSES = [
    *(b"a%sb@remote.example" % one for one in CHARACTERS),
    *(b"%sb@remote.example" % one for one in CHARACTERS),
    *(b"b%s@remote.example" % one for one in CHARACTERS),
    *(b"a@" + domain for domain in DOMAINS),
    *rb"@ : x: :@ @b @a: a a@ a.b .a a. a..b . @a:b@c @a,@b:joe@c.d @a,@b a:b:c@d x:y@z".split(),
    *rb"""a@b@c "a"@b a\b@c 'a'@b""".split(),
    *(b"", b" a@b", b"a@b ", b"a @b", b"a@ b", b'"a b"@c'),
    *(b"a" * 64 + b"@b", b"a" * 255 + b"@b", b"a" * 256 + b"@b", b"a" * 254, b"a" * 255),
    *(b"a" * 256, b"a" * 2000, b"@a:" * 80 + b"b@c", b"@a:" * 86 + b"b@c"),
    *(b"a" * 127 + b"@" + b"b." * 63 + b"b", b"a" * 127 + b"@" + b"b." * 63 + b"bb"),
]
SENDERS = [
    *(b"<%s>" % address for address in ADDRESSES),
    *b"< > a@b <a@b a@b> <a@b>> <<a@b> <<a@b>> <a@b>x <a@b>SIZE=1".split(),
    *(b"", b" ", b" <a@b>", b"\t<a@b>", b"  <a@b>", b"<a@b> ", b"<a@b>  ", b"<a@b>\0x", b"<a@b\0>"),
    *(b"<a@b> " + one for one in b"SIZE=1 size= SIZE BODY=8BITMIME BODY=BINARYMIME".split()),
    *(b"<a@b> " + one for one in b"body=7bit BODY=7BITx AUTH=<> AUTH= RET=HDRS RET=FULL".split()),
    *(
        b"<a@b> " + one
        for one in b"RET=x SMTPUTF8 x|y NOTIFY=NEVER SIZE=1|2 SIZE=\xfc \xfc".split()
    ),
    *(b"<a@b> ENVID=" + b"x" * length for length in (0, 1, 100, 101, 600, 1990)),
    *(b"<a@b>  SIZE=1  BODY=7BIT ", b"<a@b>\tSIZE=1", b"<a@b> SIZE=1\tx", b"<a@b> FOO=bar BAZ"),
    b"<> SIZE=1",
]
RECIPIENTS = [
    *b"<> <@> <x:> <@x:a@b> <a> <a@> <a@b> a@b <a@b>x <a@b>NOTIFY=NEVER".split(),
    *(
        b"<a@b> NOTIFY=" + one
        for one in b"x NEVER SUCCESS,FAILURE,DELAY delay never,success".split()
    ),
    *(b"<a@b> NOTIFY=" + one for one in (b"", b"NEVER NOTIFY=DELAY", b",NEVER,", b"N")),
    *(b"<a@b> ORCPT=" + one for one in b"; a@b rfc822;a@b rfc822;a+40b x;\xfc".split()),
    *(b"<a@b> ORCPT=rfc822;" + one for one in b"+ +4 +4g +aa a=b a;b +2B+ +2B".split()),
    *(b"<a@b> orcpt=rfc822;" + b"x" * length for length in (492, 493, 494, 600)),
    *(b"<a@b> " + one for one in b"FOO=bar SIZE=1 ORCPT ORCPT= NOTIFY RET=FULL".split()),
    *(b"<a@b>\t", b"<a@b> ", b"<a@b> NOTIFY=NEVER ORCPT=rfc822;x"),
]
OTHERS = [
    *(b"MAIL FROM <a@b>", b"MAIL  FROM:<a@b>", b"mail from:<a@b>", b"MAIL FROM :<a@b>", b"MAIL"),
    *(b"MAIL-FROM:<a@b>", b"MAIL-FROM <a@b>", b"MAIL FROM", b"RCPT-TO <a@b>", b"RCPT TO:<a@b>"),
    *(b"", b" ", b".", b"XYZ", b"VRFY x", b"NOOP", b"NOOP x", b"RSET x", b"QUIT x", b"HELP x"),
    *(b"DATA", b"DATA x", b"DATA-LINE", b"CONNECT", b"COMMIT", b"HELO", b"HELO ", b"AUTH"),
    *(b"AUTH PLAIN x", b"AUTH LOGIN", b"STARTTLS x", b"HELO\tx", b"HELO -", b"\xc8ELO x", b"rset"),
    *(b"Mail From:<>", b"HELP"),
]

pytestmark = ALONE


@pytest.fixture(scope="module", params=["7.6", "7.9"])
def smtpd(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def said(smtpd: str) -> Iterator[Path]:
    with recording(smtpd) as path:
        yield path


def compare(said: Path, smtpd: str, commands: list[bytes]) -> list[Heard]:
    """Send commands in one session to either; returns what came of them."""
    model = ModelTalker(f"{smtpd}.0")
    found = []
    with RealTalker(said) as real:
        for command in commands:
            found.append(real.say(command))
            assert (command, model.say(command)) == (command, found[-1])
    return found


@pytest.mark.parametrize("verb", [b"HELO", b"EHLO"])
def test_greetings(said: Path, smtpd: str, verb: bytes) -> None:
    found = [compare(said, smtpd, [b"%s %s" % (verb, one)]) for one in [*DOMAINS, *GREETINGS]]
    taken = sum(heard.reply.startswith(b"250") for (heard,) in found)
    assert (taken, len(found)) == (87, len(DOMAINS) + len(GREETINGS))


def test_senders(said: Path, smtpd: str) -> None:
    commands = [b"EHLO a"]
    for one in SENDERS:
        commands += [b"MAIL FROM:" + one, b"RSET"]
    found = compare(said, smtpd, commands)[1::2]
    assert sum(heard.reply.startswith(b"250") for heard in found) == {"7.6": 372, "7.9": 357}[smtpd]


def test_recipients(said: Path, smtpd: str) -> None:
    commands = [b"EHLO a"]
    for one in RECIPIENTS:
        commands += [b"MAIL FROM:<>", b"RCPT TO:" + one, b"RSET"]
    compare(said, smtpd, commands)
    compare(said, smtpd, [b"EHLO a", b"MAIL FROM:<>", *(b"RCPT TO:" + one for one in RECIPIENTS)])


def test_other_commands(said: Path, smtpd: str) -> None:
    for before in ([], [b"HELO a"], [b"EHLO a"], [b"EHLO a", b"MAIL FROM:<a@b>"]):
        for one in OTHERS:
            compare(said, smtpd, [*before, one, b"EHLO b", b"MAIL FROM:<c@d>", b"RSET", b"RSET"])


PIECES = st.sampled_from(
    [
        *rb"a B9 . .. - _ @ : < > [ ] IPv6: ipv6: ::1 127.0.0.1 \ \097 \046 | $ = + , ;".split(),
        *b"# { / NEVER DELAY rfc822; +40 7BIT example".split(),
        *(b" ", b"\t", b"\r", b"\0", b"\xfc", b"\xc3\xbc", b"x" * 63, b" SIZE=1"),
        *(b" NOTIFY=", b" ENVID=", b" ORCPT=", b" BODY="),
    ]
)
FORMS = st.lists(PIECES, max_size=10).map(b"".join)
COMMANDS = st.one_of(
    st.tuples(st.sampled_from([b"HELO ", b"EHLO ", b"ehlo "]), FORMS).map(b"".join),
    st.tuples(st.sampled_from([b"HELO [", b"EHLO [IPv6:"]), FORMS, st.just(b"]")).map(b"".join),
    st.tuples(st.sampled_from([b"MAIL FROM:", b"RCPT TO:"]), FORMS).map(b"".join),
    st.tuples(st.sampled_from([b"MAIL FROM:<", b"RCPT TO:<"]), FORMS, st.just(b">")).map(b"".join),
    st.tuples(st.sampled_from([b"MAIL FROM:<a@b>", b"RCPT TO:<a@b>"]), FORMS).map(b"".join),
    st.sampled_from([b"EHLO a", b"HELO a", b"MAIL FROM:<a@b>", b"RCPT TO:<a@b>", b"RSET"]),
)
QUICK = settings(
    max_examples=300,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@QUICK
@given(st.lists(COMMANDS, min_size=1, max_size=8), st.sampled_from([[], [b"EHLO a"]]))
@example([b"MAIL FROM:<a@b>", b"EHLO b", b"RCPT TO:<a@b>", b"MAIL FROM:<c@d> x"], [b"HELO a"])
def test_sessions_that_are_made_up(
    said: Path, smtpd: str, commands: list[bytes], before: list[bytes]
) -> None:
    compare(said, smtpd, [*before, *commands])
