"""Where filter-dkimsign and the C original differ, and why: both are held to what they do.

The manual page lists the same under CAVEATS.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.support.side_by_side import Died, Flags, Pair, pairs
from lab.peers.passage import through_smtpd
from lab.support import need_stage
from unit.mail.test_mailboxes import DIES, FIRST, SAME, TABLE
from unit.support.dkim_material import tags


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    with pairs(need_stage("7.6").root, tmp_path) as make:
        yield make


@pytest.mark.parametrize(("value", "expected", "c"), TABLE)
def test_the_author_as_the_c_filter_sees_him(
    value: bytes, expected: bytes | None, c: str, pair: Callable[..., Pair]
) -> None:
    """The last column of the table of odd From fields."""
    name = b"example.com" if expected is None else expected
    if not re.fullmatch(rb"[a-z0-9.-]+", name):
        name = b"example.com"  # what no domain of ours can be
    both = pair("-d", name.decode(), domain="first.example")
    message = [b"From:" + value.split(b"\n")[0], *value.split(b"\n")[1:], b"", b"body"]
    if c == DIES:
        with pytest.raises(Died):
            both.theirs(message)
    else:
        theirs = tags(both.theirs(message))[b"d"]
        assert theirs == {SAME: name, FIRST: b"first.example"}[c]
    ours = both.ours(message)
    passage = through_smtpd(b"\r\n".join(message) + b"\r\n")
    assert passage is not None
    if b"from" in passage.completed:
        assert ours == [*message, b"."]
    elif expected is None:
        assert tags(ours)[b"d"] == b"first.example"
    elif name == expected:
        assert tags(ours)[b"d"] == name


def test_the_topmost_from_decides_even_if_another_one_has_a_match(
    pair: Callable[..., Pair],
) -> None:
    both = pair("-d", "example.org", domain="first.example")
    message = [b"From: a@elsewhere.example", b"From: b@example.org", b"", b"body"]
    assert tags(both.theirs(message))[b"d"] == b"example.org"
    assert tags(both.ours(message))[b"d"] == b"first.example"


def test_no_blank_line_with_copies(pair: Callable[..., Pair]) -> None:
    """The C filter forgets the semicolon behind z=, so that the rest is no list of tags."""
    both = pair("-z")
    message = [b"From: a@example.com", b"Subject: x"]
    assert b"Subject:=20x=0D=0Abh=" in b"".join(both.theirs(message)).replace(b"\t", b"")
    ours = tags(both.ours(message))
    assert ours[b"z"] == b"From:=20a@example.com=0D=0A|Subject:=20x=0D=0A"
    assert ours[b"bh"] == b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="


def test_no_blank_line_otherwise(pair: Callable[..., Pair]) -> None:
    pair().agree([b"From: a@example.com", b"Subject: x"])


def test_three_times_z(pair: Callable[..., Pair]) -> None:
    """The C filter knows one and two."""
    both = pair("-zzz")
    message = [b"From: a@example.com", b"X: y", b"", b"body"]
    assert tags(both.theirs(message))[b"z"] == b""
    assert tags(both.ours(message))[b"z"] == b"From:=20a@example.com=0D=0A|X:=20y=0D=0A"


@pytest.mark.parametrize("odd", [b"\r", b"\v", b"\f"])
def test_what_verifiers_do_not_canonicalize_alike(odd: bytes, pair: Callable[..., Pair]) -> None:
    """The C filter makes it a space in a relaxed header; some verifiers do, others do not."""
    both = pair("-c", "relaxed")
    message = [b"From: a@example.com", b"Subject: x" + odd + b"y", b"To: b@c", b"", b"body"]
    assert tags(both.theirs(message))[b"h"] == b"to:subject:from"
    assert tags(both.ours(message))[b"h"] == b"to:from"


@pytest.mark.parametrize("name", [b"Date", b"Message-ID"])
def test_a_field_below_which_smtpd_may_add_its_own(name: bytes, pair: Callable[..., Pair]) -> None:
    both = pair("-h", "from:date:message-id")
    message = [b"From: a@example.com", name + b" : x", b"", b"body"]
    assert tags(both.theirs(message))[b"h"] == name.lower() + b":from"
    assert tags(both.ours(message))[b"h"] == b"from"
    both.agree([*message[:2], name + b": y", *message[2:]])


@pytest.mark.parametrize("flags", [(), ("-c", "simple/relaxed")])
def test_a_bare_carriage_return_otherwise(flags: Flags, pair: Callable[..., Pair]) -> None:
    message = [b"From: a@example.com", b"Subject: x\ry", b"", b"a \rb", b"\rc", b"d\r \re"]
    pair(*flags).agree(message)


def test_a_carriage_return_at_the_end_of_a_line(pair: Callable[..., Pair]) -> None:
    """The C filter takes it off the message, too."""
    both = pair()
    message = [b"From: a@example.com", b"Subject: x\r", b"", b"body\r"]
    assert both.theirs(message)[-5:] == [
        b"From: a@example.com", b"Subject: x", b"", b"body", b".",
    ]  # fmt: skip
    assert both.ours(message)[-5:] == [*message, b"."]


def test_expiry_beyond_the_end_of_time(pair: Callable[..., Pair]) -> None:
    both = pair("-x", "9223372036854775807")
    message = [b"From: a@example.com", b"", b"body"]
    assert tags(both.theirs(message))[b"x"].startswith(b"-92233720")
    assert tags(both.ours(message, 1_767_225_600))[b"x"] == b"9223372036854775807"


def test_an_empty_relaxed_field_folded_onto_white_space_ends_it(pair: Callable[..., Pair]) -> None:
    both = pair("-c", "relaxed")
    message = [b"From: a@example.com", b"Subject:", b"   ", b" x", b"", b"body"]
    with pytest.raises(Died):
        both.theirs(message)
    assert tags(both.ours(message))[b"h"] == b"subject:from"


def test_a_long_line_ends_it(pair: Callable[..., Pair]) -> None:
    """smtpd takes lines of 65,534 bytes; the C filter reads lines of 65,535 with their prefix."""
    both = pair()
    message = [b"From: a@example.com", b"", b"x" * 65_480]
    with pytest.raises(Died):
        both.theirs(message)
    ours = both.ours(message)
    assert ours[0].startswith(b"DKIM-Signature: ")
    assert ours[-4:] == [*message, b"."]


@pytest.mark.parametrize("name", ["To", "Cc"])
def test_what_smtpd_will_complete_is_not_covered(name: str, pair: Callable[..., Pair]) -> None:
    both = pair()
    message = [b"From: a@example.com", name.encode() + b": root", b"Subject: x", b"", b"body"]
    assert tags(both.theirs(message))[b"h"] == b"subject:%s:from" % name.lower().encode()
    assert tags(both.ours(message))[b"h"] == b"subject:from"


def test_a_bare_author_is_not_signed_for(pair: Callable[..., Pair]) -> None:
    both = pair()
    message = [b"From: root", b"", b"body"]
    assert tags(both.theirs(message))[b"h"] == b"from"
    assert both.ours(message) == [*message, b"."]


def test_bcc_is_not_covered(pair: Callable[..., Pair]) -> None:
    both = pair("-h", "from:bcc")
    message = [b"From: a@example.com", b"Bcc: b@example.com", b"", b"body"]
    assert tags(both.theirs(message))[b"h"] == b"bcc:from"
    assert tags(both.ours(message))[b"h"] == b"from"


def test_one_click_unsubscription_is_covered(pair: Callable[..., Pair]) -> None:
    both = pair()
    one_click = [b"List-Unsubscribe: <https://x>", b"List-Unsubscribe-Post: y"]
    message = [b"From: a@example.com", *one_click, b"", b"body"]
    assert tags(both.theirs(message))[b"h"] == b"list-unsubscribe:from"
    assert tags(both.ours(message))[b"h"] == b"list-unsubscribe-post:list-unsubscribe:from"
