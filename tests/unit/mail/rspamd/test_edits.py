"""The edits that a verdict asks for, on a message without a protocol around it."""

from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd.errors import Refused
from opensmtpd.filter import EditedMessage, Reject
from opensmtpd.mail.rspamd import edits
from opensmtpd.mail.rspamd.edits import folded
from opensmtpd.mail.rspamd.verdict import RspamdVerdict
from unit.support.edits import Does
from unit.support.lone_message import message, sent
from unit.support.rspamd_mail import verdict

RECEIVED = [b"Received: from client.example", b"\tfor <alice@example.com>"]
CLIENTS = [b"From: bob@remote.example", b"Subject: hello", b" world", b"X-A: 1", b"X-A: 2"]
BODY = [b"", b"Subject: text", b"..dots", b""]


def edited(edit: Callable[[EditedMessage], object], *lines: bytes) -> list[bytes]:
    """Return the lines that go out, without the final dot."""
    m = message(Does(edit))
    m.receive(list(lines))
    m.close_input(m.end())
    out = sent(m)
    assert out.pop() == b"."
    return out


def written(said: RspamdVerdict, *header: bytes, failed: list[str] | None = None) -> list[bytes]:
    """Return the header that goes out; the body is as it came."""
    failures: list[list[str]] = []
    out = edited(lambda mail: failures.append(edits.write(mail, said)), *header, *BODY)
    assert out[-len(BODY) :] == BODY
    assert failures == [failed or []]
    return out[: -len(BODY)]


def usual(said: RspamdVerdict, failed: list[str] | None = None) -> list[bytes]:
    """Return the fields that are new, in a message whose others stay as they are."""
    out = written(said, *RECEIVED, *CLIENTS, failed=failed)
    new = [line for line in out if line not in RECEIVED + CLIENTS]
    assert [line for line in out if line not in new] == RECEIVED + CLIENTS
    return new


# --- actions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["no action", "greylist", "accept", "", "Reject", "rewrite"])
def test_actions_that_change_nothing(action: str) -> None:
    said = verdict(action, score=3.0, reply="text", subject=b"s", symbols=[[b"ONE", 1.0]])
    assert edits.refusal(said) is None
    assert written(said, *RECEIVED, *CLIENTS) == RECEIVED + CLIENTS


@pytest.mark.parametrize(
    ("action", "reply", "refused"),
    [
        ("reject", "", Reject(550, "message rejected")),
        ("reject", "Gtube pattern", Reject(550, "Gtube pattern")),
        ("soft reject", "", Reject(451, "try again later")),
        ("soft reject", "Try again later", Reject(451, "Try again later")),
        ("discard", "", Reject(550, "message rejected")),
        ("reject", " \t\r\n", Reject(550, "message rejected")),
        ("reject", "   ", Reject(550, "message rejected")),
        ("reject", "a\r\n550 b\0\xe4", Reject(550, "a 550 b??")),
        ("reject", "\0", Reject(550, "?")),
        ("reject", "x" * 600, Reject(550, "x" * 506)),
        ("soft reject", "x" * 505 + " y", Reject(451, "x" * 505)),
        ("reject", "x\ty|z", Reject(550, "x y|z")),
    ],
)
def test_refusals(action: str, reply: str, refused: Reject) -> None:
    said = verdict(action, reply=reply, removed=[[b"From", 0]], added=[[b"X", b"1", None]])
    assert repr(edits.refusal(said)) == repr(refused)

    def edit(mail: EditedMessage) -> None:
        with pytest.raises(Refused) as raised:
            edits.write(mail, said)
        assert repr(raised.value.decision) == repr(refused)

    assert edited(edit, *RECEIVED, *CLIENTS, *BODY) == RECEIVED + CLIENTS + BODY


@pytest.mark.parametrize("action", ["reject", "soft reject", "discard", "add header", "no action"])
def test_no_action(action: str) -> None:
    """The fields are written, and nothing else is done."""
    said = verdict(action, harmless=True, reply="no", added=[[b"X-B", b"3", None]],
                   symbols=[[b"ONE", 1.0]], spam=[[b"X-Spam", b"yes"]])  # fmt: skip
    assert usual(said) == [b"X-Rspamd-Action: " + action.encode(), b"X-B: 3"]


def test_no_action_of_any_name() -> None:
    said = verdict("a\r\nX-Y: \0\xe4", harmless=True)
    assert usual(said) == [b"X-Rspamd-Action: a", b"\tX-Y: \xc3\xa4"]


def test_quarantine() -> None:
    said = verdict("reject", quarantine=True, reply="no", score=20.0)
    assert usual(said) == [b"X-Spam: yes"]
    assert usual(verdict("quarantine", quarantine=True)) == [b"X-Spam: yes"]


def test_add_header() -> None:
    said = verdict(
        "add header",
        score=6.1,
        spam=[[b"X-Spam", b"yes"]],
        symbols=[[b"TWO", 2.0], [b"ONE", 1.5]],
    )
    assert usual(said) == [
        b"X-Spam: yes",
        b"X-Spam-Score: 6.1 / 15",
        b"X-Spam-Status: Yes, score=6.100 required=15.000",
        b"\ttests=[ONE=1.500, TWO=2.000]",
    ]


def test_add_header_without_symbols() -> None:
    said = verdict("add header", score=6.0, spam=[[b"X-Junk", b"1"], [b"X-Level", b"*"]])
    assert usual(said) == [b"X-Junk: 1", b"X-Level: *", b"X-Spam-Score: 6 / 15"]


def test_all_in_the_order_of_the_filter_in_go() -> None:
    said = verdict(
        "add header",
        score=6.1,
        spam=[[b"X-Spam", b"yes"]],
        symbols=[[b"ONE", 1.0]],
        signatures=[b"a=1;\n\tb=1", b"a=2"],
        added=[
            [b"Authentication-Results", b"mx; 1", 1],
            [b"X-First", b"1", None],
            [b"arc-seal", b"i=1", 1],
            [b"ARC-Message-Signature", b"i=1", 1],
            [b"X-Second", b"2", None],
            [b"ARC-Authentication-Results", b"i=1; mx", -1],
        ],
    )
    assert written(said, *RECEIVED, *CLIENTS) == [
        b"DKIM-Signature: a=1;",
        b"\tb=1",
        b"DKIM-Signature: a=2",
        b"X-Spam: yes",
        b"X-Spam-Score: 6.1 / 15",
        b"X-Spam-Status: Yes, score=6.100 required=15.000",
        b"\ttests=[ONE=1.000]",
        b"X-First: 1",
        b"X-Second: 2",
        b"arc-seal: i=1",
        b"ARC-Message-Signature: i=1",
        b"ARC-Authentication-Results: i=1; mx",
        b"Authentication-Results: mx; 1",
        *RECEIVED,
        *CLIENTS,
    ]


# --- the subject ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "subject", "after"),
    [
        ([b"Subject: x", b"To: y"], b"*** x", [b"Subject: *** x", b"To: y"]),
        ([b"SUBJECT:x", b" y", b"\tz", b"To: y"], b"new", [b"SUBJECT: new", b"To: y"]),
        ([b"Subject: x"], b"a\r\n\tb\n c\nd\0", [b"Subject: a", b"\tb", b" c", b"\td"]),
        ([b"To: y"], b"new", [b"To: y", b"Subject: new"]),
        ([], b"new", [b"Subject: new"]),
        ([b"Subject: x", b"To: y", b"subject: z"], b"n", [b"Subject: n", b"To: y", b"subject: n"]),
        ([b"Subject: x"], b"", [b"Subject:"]),
        ([b"Subject: x"], b"\xc3\xa4\xff", [b"Subject: \xc3\xa4\xff"]),
        ([b"X-Subject: x", b"Subject x"], b"n", [b"X-Subject: x", b"Subject x", b"Subject: n"]),
    ],
)
def test_rewrite_subject(header: list[bytes], subject: bytes, after: list[bytes]) -> None:
    said = verdict("rewrite subject", subject=subject)
    assert written(said, *RECEIVED, *header) == [*RECEIVED, *after]


def test_another_subject_with_another_action_or_none() -> None:
    assert usual(verdict("add header", subject=b"x", score=6.0)) == [b"X-Spam-Score: 6 / 15"]
    assert usual(verdict("rewrite subject")) == []


def test_a_subject_that_no_header_can_hold() -> None:
    long = b"x" * 66_000
    said = verdict("rewrite subject", subject=long, added=[[b"X-B", b"3", None]])
    assert usual(said, ["Subject"]) == [b"X-B: 3"]
    assert written(said, b"To: y", failed=["Subject"]) == [b"X-B: 3", b"To: y"]


# --- fields to add --------------------------------------------------------------------------------

PLAIN = [b"Received: x", b"A: 1", b"B: 2", b"\tfolded", b"C: 3"]


@pytest.mark.parametrize(
    ("place", "above"),
    [
        (None, 0),
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 4),
        (4, 5),
        (5, 5),
        (1000, 5),
        (-1, 5),
        (-2, 4),
        (-3, 2),
        (-99, 0),
    ],
)
def test_places(place: int | None, above: int) -> None:
    """They are counted from smtpd's own field on, as that of an MTA for a milter."""
    said = verdict(added=[[b"N", b"n", place]])
    assert written(said, *PLAIN) == [*PLAIN[:above], b"N: n", *PLAIN[above:]]
    front = [b"Z: above", b"DKIM-Signature: of a filter before"]
    lines = written(said, *front, *PLAIN)
    if place is None:
        assert lines == [b"N: n", *front, *PLAIN]
    else:
        assert lines == [*front, *PLAIN[:above], b"N: n", *PLAIN[above:]]


def test_several_places() -> None:
    """Each is counted with those that stand there already, in the order of the answer."""
    added = [[b"N", b"1", 1], [b"N", b"2", 1], [b"N", b"3", -1], [b"N", b"4", -2], [b"N", b"5", 0],
             [b"M", b"6", None], [b"N", b"7", None]]  # fmt: skip
    assert written(verdict(added=added), b"Received: x", b"A: 1") == [
        *(b"M: 6", b"N: 7", b"N: 5", b"Received: x", b"N: 2", b"N: 1", b"A: 1", b"N: 4", b"N: 3"),
    ]


@pytest.mark.parametrize(
    ("place", "after"),
    [
        (0, [b"N: n", b"A: 1", b"B: 2"]),
        (1, [b"A: 1", b"N: n", b"B: 2"]),
        (-1, [b"A: 1", b"B: 2", b"N: n"]),
        (-2, [b"A: 1", b"N: n", b"B: 2"]),
        (-3, [b"N: n", b"A: 1", b"B: 2"]),
    ],
)
def test_places_without_a_received_field(place: int, after: list[bytes]) -> None:
    assert written(verdict(added=[[b"N", b"n", place]]), b"A: 1", b"B: 2") == after


@pytest.mark.parametrize("place", [None, 0, 1, 5, -1, -5])
def test_a_message_without_a_header(place: int | None) -> None:
    assert written(verdict(added=[[b"N", b"n", place]])) == [b"N: n"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"", ""),
        (b"A B", "A B"),
        (b"A:", "A:"),
        (b"A\n", "A?"),
        (b"A\0", "A?"),
        (b"\xc3\xa4", "?"),
        (b"\xff", "?"),
        (b"x:" * 50, "x:" * 40),
    ],
)
@pytest.mark.parametrize("place", [None, 0, -1])
def test_names_that_no_header_can_hold(name: bytes, shown: str, place: int | None) -> None:
    said = verdict(added=[[b"X-B", b"1", 0], [name, b"evil", place], [b"X-C", b"2", None]])
    assert usual(said, [shown]) == [b"X-C: 2", b"X-B: 1"]


def test_values_that_no_header_can_hold() -> None:
    said = verdict(
        "add header",
        score=6.0,
        added=[[b"X-B", b"x" * 65_480, None], [b"X-C", b"x" * 65_481, None], [b"X-D", b"1", -1]],
        signatures=[b"y" * 66_000],
        symbols=[[b"z" * 66_000, 1.0]],
        spam=[[b"X Spam", b"yes"]],
    )
    new = usual(said, ["X-C", "X-Spam-Status", "X Spam", "DKIM-Signature"])
    assert new == [b"X-Spam-Score: 6 / 15", b"X-B: " + b"x" * 65_480, b"X-D: 1"]


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (b"", b""),
        (b"x", b"x"),
        (b" x ", b" x "),
        (b"a\r\n\tb\r\n\tc", b"a\n\tb\n\tc"),
        (b"a\n b", b"a\n b"),
        (b"a\rb\0c", b"abc"),
        (b"a\r\r\n\tb", b"a\n\tb"),
        (b"a\nb", b"a\n\tb"),
        (b"a\n\n\n b", b"a\n b"),
        (b"a\n \n\t\t\nb", b"a\n\tb"),
        (b"\n a", b" a"),
        (b"a\n", b"a"),
        (b"\r\n\r\n", b""),
        (b"a\n ", b"a"),
        (b"a\nX-Spam: no\n\nbody", b"a\n\tX-Spam: no\n\tbody"),
        (b"a\n.\n..", b"a\n\t.\n\t.."),
        (b"\xff\x0b\x85\n\x0c", b"\xff\x0b\x85"),
    ],
)
def test_folded_values(value: bytes, clean: bytes) -> None:
    assert folded(value) == clean
    assert folded(clean) == clean
    [first, *others] = usual(verdict(added=[[b"X-B", value, None]]))
    assert first.startswith(b"X-B:")
    assert all(line[:1] in (b" ", b"\t") for line in others)


# --- fields to remove -----------------------------------------------------------------------------

MANY = [b"X: 1", b"Y: a", b"x: 2", b" folded", b"X: 3"]


@pytest.mark.parametrize(
    ("removed", "after"),
    [
        ([[b"X", 0]], [b"Y: a"]),
        ([[b"x", 0]], [b"Y: a"]),
        ([[b"X", 1]], MANY[1:]),
        ([[b"X", 2]], [b"X: 1", b"Y: a", b"X: 3"]),
        ([[b"X", 3]], MANY[:4]),
        ([[b"X", 4]], MANY),
        ([[b"X", -1]], MANY[:4]),
        ([[b"X", -3]], MANY[1:]),
        ([[b"X", -4]], MANY),
        ([[b"X", 2147483647], [b"X", -2147483647]], MANY),
        ([[b"X", 1], [b"X", 2]], [b"Y: a", b"X: 3"]),
        ([[b"X", 1], [b"x", 1], [b"X", -3]], MANY[1:]),
        ([[b"X", 1], [b"X", 0]], [b"Y: a"]),
        ([[b"X", 0], [b"Y", -1]], []),
        ([[b"Z", 0], [b"", 0], [b"X:", 0], [b"\xff", 1]], MANY),
        ([[b"Received", 0]], MANY),
    ],
)
def test_fields_to_remove(removed: list[Any], after: list[bytes]) -> None:
    received = [] if removed == [[b"Received", 0]] else RECEIVED
    assert written(verdict(removed=removed), *RECEIVED, *MANY) == [*received, *after]


def test_removals_come_before_additions() -> None:
    said = verdict(removed=[[b"X", 0], [b"Y", 1]], added=[[b"X", b"n", 1], [b"Y", b"m", None]])
    assert written(said, *RECEIVED, *MANY) == [b"Y: m", *RECEIVED, b"X: n"]


def test_numbers_count_what_rspamd_has_seen() -> None:
    """That is all: forged fields, too, and those of filters before this one."""
    said = verdict(removed=[[b"X-Spam", 2]])
    header = [b"X-Spam: filter", *RECEIVED, b"X-Spam: forged", b"A: 1"]
    assert written(said, *header) == [b"X-Spam: filter", *RECEIVED, b"A: 1"]


def test_fields_in_front_of_smtpds_own_are_not_rspamds_to_remove() -> None:
    """They are smtpd's, or those of filters before: ``junk``, or the results of filter-auth."""
    above = [b"X-Spam: Yes", b"Authentication-Results: mx; none"]
    below = [b"X-Spam: no", b"authentication-results: mx; dkim=pass", b"A: 1"]
    said = verdict(removed=[[b"X-Spam", 0], [b"Authentication-Results", 0]])
    assert written(said, *above, *RECEIVED, *below) == [*above, *RECEIVED, b"A: 1"]


@pytest.mark.parametrize(("number", "there"), [(1, b"12"), (-2, b"12"), (2, b"1"), (-1, b"1")])
def test_those_in_front_count(number: int, there: bytes) -> None:
    header = [b"B: 1", *RECEIVED, b"b: 2"]
    after = [*header[:-1], *[b"b: 2"] * (there == b"12")]
    assert written(verdict(removed=[[b"B", number]]), *header) == after


def test_the_received_field_of_smtpd_can_be_removed() -> None:
    said = verdict(removed=[[b"Received", 1]])
    assert written(said, b"X-Spam: Yes", *RECEIVED, b"Received: 2") == [
        b"X-Spam: Yes",
        b"Received: 2",
    ]


# --- forgeries ------------------------------------------------------------------------------------

FORGED = [
    b"X-Spam: No",
    b"x-spam-status: No,",
    b"\tscore=-100",
    b"X-SPAM-SCORE: -100",
    b"X-Spamd-Bar: /",
    b"x-spamd-result: default: False",
    b"X-Spam-Flag : NO",
    b"X-Rspamd-Score: -10",
    b"X-RSPAMD-SERVER: mx",
    b"x-rspamd-unscanned: yes",
    b"X-Rspamd-Action: no action",
    b"X-Rspamd",
]
OTHERS = [b"A: X-Spam: No", b" X-Spam: No", b"X-Spa: 1", b"Rspamd: 1", b"XX-Spam: 1", b"X-Rspam: 1"]


def test_forged_fields_are_removed() -> None:
    header = [*OTHERS, *FORGED, b"Received: from x by y", *FORGED, b"B: 2"]
    after = [*OTHERS, b"X-Rspamd", b"Received: from x by y", b"X-Rspamd", b"B: 2"]
    assert written(verdict(), *RECEIVED, *header) == [*RECEIVED, *after]


def test_fields_of_filters_before_stay() -> None:
    above = [*FORGED, b"Authentication-Results: mx; none"]
    assert written(verdict(), *above, *RECEIVED, *FORGED) == [*above, *RECEIVED, b"X-Rspamd"]


def test_without_a_received_field_nobody_knows_whose_they_are() -> None:
    assert written(verdict(), *FORGED, b"A: 1") == [*FORGED, b"A: 1"]


def test_forged_fields_do_not_take_the_place_of_ours() -> None:
    added = [[b"X-Rspamd-Server", b"ours", 1], [b"x-spamd-bar", b"++", -1]]
    said = verdict("add header", score=6.0, spam=[[b"X-Spam", b"yes"]], added=added)
    assert written(said, *RECEIVED, *FORGED[:-1], b"A: 1") == [
        b"X-Spam: yes",
        b"X-Spam-Score: 6 / 15",
        *RECEIVED,
        b"X-Rspamd-Server: ours",
        b"A: 1",
        b"x-spamd-bar: ++",
    ]


def test_fields_of_the_name_that_rspamd_marks_spam_with() -> None:
    """A client's own do not stand beside ours; X-Spam of smtpd stays."""
    said = verdict("add header", score=6.0, spam=[[b"X-Spam", b"yes"], [b"X-Junk", b"yes"]])
    above = [b"X-Spam: Yes", b"X-Junk: of another filter"]
    header = [*above, *RECEIVED, b"x-junk: no", b"A: 1", b"X-JUNK: never", b"x-spam: no"]
    assert written(said, *header) == [
        *(b"X-Spam: yes", b"X-Junk: yes", b"X-Spam-Score: 6 / 15"),
        *(*above, *RECEIVED, b"A: 1"),
    ]


def test_no_action_leaves_fields_of_that_name() -> None:
    spam = [[b"X-Junk", b"yes"]]
    said = verdict("add header", spam=spam, harmless=True)
    header = [*RECEIVED, b"X-Junk: no"]
    assert written(said, *header) == [b"X-Rspamd-Action: add header", *header]


def test_forged_fields_are_removed_where_received_is_too() -> None:
    said = verdict(removed=[[b"received", 0], [b"X-Spam", 1], [b"X-Spam", 0]])
    assert written(said, *RECEIVED, *FORGED, b"A: 1") == [b"X-Rspamd", b"A: 1"]


def test_a_message_that_was_not_scanned() -> None:
    def edit(mail: EditedMessage) -> None:
        edits.write_unscanned(mail, "b\r\n\xe4" + "x" * 1000)

    assert edited(edit, *RECEIVED, *FORGED, b"A: 1", *BODY) == [
        b"X-Rspamd-Unscanned: b???" + b"x" * 896,
        *RECEIVED,
        b"X-Rspamd",
        b"A: 1",
        *BODY,
    ]


def test_a_message_that_needs_no_edit_goes_out_as_it_came() -> None:
    odd = [b" continues nothing", b"no field", b"A:1", b"A : 2", b":", b"\xff: \r", *RECEIVED]
    assert written(verdict(), *odd) == odd
