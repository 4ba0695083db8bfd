"""Regular expressions of table-flat on a real smtpd, and senders that try to make them slow."""

import random

import pytest

from lab.peers import mail
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, setups

ROWS = r"""# @list
^([a-z0-9]+[-.]?)+@example\.org$
^(a|aa)+@slow\.example$
(a|b)*a(a|b){100}!
(.*.*.*)*=
^spam[0-9]{1,3}@
(a{40}){40}
"""


def prepare(guide: Guide) -> None:
    """Have the guide's server reject senders by the rows."""
    (guide.view / "etc/mail/rejected").write_text(ROWS)
    conf = guide.view / moves.CONF[1:]
    ours = (
        "table rejected flat:/etc/mail/rejected\n"
        "match from any mail-from regex <rejected> for any reject\n"
    )
    before, first, after = conf.read_text().partition("\nmatch ")
    conf.write_text(f"{before}\n{ours}{first}{after}")


SETUPS = setups("expressions", prepare)
pytestmark = pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)


def reply(sender: str) -> int:
    """Return the code of the reply to RCPT."""
    with mail.connect() as client:
        code, text = client.mail(sender)
        assert code == 250, text
        return client.rcpt("alice@example.com")[0]


def test_rows_match(lab: Lab) -> None:
    assert reply("spam17@example.net") == 550
    assert reply("SPAM1@example.net") == 550
    assert reply("a.b-c@example.org") == 550
    assert reply("spam1234@example.net") == 250


def test_no_sender_makes_a_lookup_fail_or_stall(lab: Lab) -> None:
    """A lookup that takes five seconds is cut off, and its mail put off with a 4xx reply."""
    source = random.Random(5)
    domain = ".".join(["aabab" * 12] * 3 + ["example"])
    senders = [
        "a" * 55 + "!@example.org",
        "a" * 63 + "@slow.examples",
        "a-" * 30 + "!@example.org",
        *("".join(source.choices("ab", k=60)) + f"@{domain}" for _ in range(30)),
    ]
    assert [reply(sender) for sender in senders] == [250] * len(senders)
    assert "-failed" not in lab.log


def test_the_row_that_is_refused_is_named(lab: Lab) -> None:
    """At start: smtpd started in the foreground shows what its tables write."""
    assert (
        "rows-ignored path=/etc/mail/rejected line=7 service=regex count=1 first=(a{40}){40}"
        ' reason="with its repeats written out, over 1000 characters"'
    ) in lab.log
