import json
from typing import Any

import pytest

from opensmtpd.errors import ServerRefused
from opensmtpd.mail.rspamd.reply import FIELDS_MAX, SYMBOLS_MAX, verdict
from opensmtpd.mail.rspamd.verdict import RspamdVerdict
from opensmtpd.worker.frames import FRAME_MAX, pack
from unit.support.rspamd_mail import verdict as nothing


def said(action: str = "no action", **members: Any) -> RspamdVerdict:
    return verdict(json.dumps({"action": action, **members}).encode())


def milter(action: str = "no action", **members: Any) -> RspamdVerdict:
    return said(action, milter=members)


# --- the whole ------------------------------------------------------------------------------------


def test_an_answer_that_says_little() -> None:
    assert verdict(b'{"action": "greylist"}') == nothing("greylist", required=0.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"pong\r\n",
        b'{"action": "reject"',
        b'{"action": "reject"}}',
        b'{"action": "reject", "score": NaN}',
        b'{"action": "reject", "score": -Infinity}',
        b'{"action": "reject", "score": 1' + b"0" * 5000 + b"}",
        b"\xef\xbb\xbf" + b'{"action": "reject"}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"action": "re\nject"}',
        b'{"action": "re\0ject"}',
    ],
)
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ServerRefused, match=r"^its answer is no JSON$"):
        verdict(body)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"null", b'"reject"', b"7", b'{"action": null}', b'{"action": 7}',
     b'{"action": ["reject"]}', b'{"error": "Cannot parse", "error_domain": "protocol-error"}'],
)  # fmt: skip
def test_what_has_no_action(body: bytes) -> None:
    with pytest.raises(ServerRefused, match=r"^its answer names no action$"):
        verdict(body)


@pytest.mark.parametrize(
    ("text", "action"),
    [(b'"Reject"', "Reject"), (b'""', ""), (b'"r\xc3\xa9"', "r\xe9"), (b'"r\xff"', "r?"),
     (b'"r\\ud800"', "r?"), (b'"r\\u0000\\r"', "r\0\r")],
)  # fmt: skip
def test_any_action(text: bytes, action: str) -> None:
    assert verdict(b'{"action": %s}' % text).action == action


@pytest.mark.parametrize(
    ("number", "score"),
    [
        (b"6.1", 6.1),
        (b"-3", -3.0),
        (b"0", 0.0),
        (b"1e3", 1000.0),
        (b"1e400", 0.0),
        (b"-1e400", 0.0),
        (b"1e30", 0.0),
        (b"1" + b"0" * 400, 0.0),
        (b'"6.1"', 0.0),
        (b"true", 0.0),
        (b"null", 0.0),
        (b"[6.1]", 0.0),
    ],
)
def test_scores(number: bytes, score: float) -> None:
    found = verdict(b'{"action": "x", "score": %s, "required_score": %s}' % (number, number))
    assert (found.score, found.required) == (score, score)


@pytest.mark.parametrize(
    ("messages", "reply"),
    [
        ({"smtp_message": "Try later"}, "Try later"),
        ({"smtp_message": "gr\xfcn\ud800\r\n"}, "gr\xfcn?\r\n"),
        ({"smtp_message": 7}, ""),
        ({}, ""),
        (["smtp_message"], ""),
        ("smtp_message", ""),
        (None, ""),
    ],
)
def test_replies(messages: Any, reply: str) -> None:
    assert said("reject", messages=messages).reply == reply


@pytest.mark.parametrize(
    ("subject", "found"),
    [("*** x", b"*** x"), ("", b""), ("\xe4", b"\xc3\xa4"), ("\ud800", b"?"), ("\udcff", b"\xff"),
     (7, None), (None, None), ({}, None)],
)  # fmt: skip
def test_subjects(subject: Any, found: bytes | None) -> None:
    assert said("rewrite subject", subject=subject).subject == found


@pytest.mark.parametrize(
    ("signatures", "found"),
    [("a=1", [b"a=1"]), (["a=1", "a=2"], [b"a=1", b"a=2"]), ("", []), (["", 7, None, ["x"]], []),
     (None, []), ({"a": "1"}, []), ([], [])],
)  # fmt: skip
def test_signatures(signatures: Any, found: list[bytes]) -> None:
    assert said(**{"dkim-signature": signatures}).signatures == found


# --- symbols --------------------------------------------------------------------------------------

SYMBOLS = {"ONE": {"score": 1}, "TWO": {"score": "2"}, "THREE": 3, "N\xf6": {"score": -0.5}}


def test_symbols_are_read_where_they_are_written() -> None:
    assert said("add header", symbols=SYMBOLS).symbols == [
        *([b"ONE", 1.0], [b"TWO", 0.0], [b"THREE", 0.0], [b"N\xc3\xb6", -0.5]),
    ]
    for action in ("reject", "soft reject", "greylist", "rewrite subject", "no action", "other"):
        assert said(action, symbols=SYMBOLS).symbols == []
    assert said("add header", symbols=["ONE"]).symbols == []


def test_symbols_without_number() -> None:
    many = {f"S{number}": {"score": 1} for number in range(SYMBOLS_MAX + 5)}
    assert len(said("add header", symbols=many).symbols) == 1000


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "removed"),
    [
        ({"X": 0}, [[b"X", 0]]),
        ({"x-Y": -1, "Z": 3}, [[b"x-Y", -1], [b"Z", 3]]),
        ({"X": [1, 3, -2]}, [[b"X", 1], [b"X", 3], [b"X", -2]]),
        ({"X": []}, []),
        ({"X": None}, []),
        ({"X": "1"}, []),
        ({"X": {"order": 1}}, []),
        ({"X": [[1], "2", None, 3]}, [[b"X", 3]]),
        ({"X": 1 << 31, "Y": -(1 << 40), "Z": (1 << 31) - 1}, [[b"Z", 2147483647]]),
        ({"": 0}, [[b"", 0]]),
        ({"X": True, "Y": [False]}, []),
        (["X"], []),
        ("X", []),
    ],
)
def test_fields_to_remove(fields: Any, removed: list[Any]) -> None:
    assert milter(remove_headers=fields).removed == removed


@pytest.mark.parametrize(
    ("fields", "added"),
    [
        ({"X": "1"}, [[b"X", b"1", None]]),
        ({"X": ""}, [[b"X", b"", None]]),
        ({"X": "\xe4\udcff\ud800"}, [[b"X", b"\xc3\xa4??", None]]),
        ({"X": "\xe4\udcff"}, [[b"X", b"\xc3\xa4\xff", None]]),
        ({"X": ["1", "2"]}, [[b"X", b"1", None], [b"X", b"2", None]]),
        ({"X": {"value": "1", "order": 0}}, [[b"X", b"1", 0]]),
        ({"X": {"value": "1", "order": 5}}, [[b"X", b"1", 5]]),
        ({"X": {"value": "1", "order": -2}}, [[b"X", b"1", -2]]),
        ({"X": {"value": "1", "order": 2.9}}, [[b"X", b"1", 2]]),
        ({"X": {"value": "1", "index": 3}}, [[b"X", b"1", 3]]),
        ({"X": {"value": "1", "order": 1, "index": 3}}, [[b"X", b"1", 1]]),
        ({"X": {"value": "1"}}, [[b"X", b"1", -1]]),
        ({"X": {"value": "1", "order": None}}, [[b"X", b"1", -1]]),
        ({"X": {"value": "1", "order": "1"}}, [[b"X", b"1", -1]]),
        ({"X": {"value": "1", "order": True}}, [[b"X", b"1", -1]]),
        ({"X": {"value": "1", "order": 1 << 31}}, [[b"X", b"1", -1]]),
        ({"X": {"value": 7, "order": 1}}, []),
        ({"X": {"order": 1}}, []),
        ({"X": [{"value": "1", "order": 1}, "2", 7, None, {"value": "3"}]},
         [[b"X", b"1", 1], [b"X", b"2", None], [b"X", b"3", -1]]),
        ({"X": 7, "Y": None, "Z": True}, []),
        ({"": "1"}, [[b"", b"1", None]]),
        (["X"], []),
        ("X", []),
    ],
)  # fmt: skip
def test_fields_to_add(fields: Any, added: list[Any]) -> None:
    assert milter(add_headers=fields).added == added


@pytest.mark.parametrize("order", [b"NaN", b"Infinity"])
def test_an_order_that_is_no_number(order: bytes) -> None:
    with pytest.raises(ServerRefused, match="no JSON"):
        verdict(b'{"action": "x", "milter": {"add_headers": {"X": {"order": %s}}}}' % order)


def test_an_order_without_end() -> None:
    text = b'{"action": "x", "milter": {"add_headers": {"X": {"value": "1", "order": %s}}}}'
    for order in (b"1e400", b"-1e400", b"1" + b"0" * 400):
        assert verdict(text % order).added == [[b"X", b"1", -1]]


# --- bounds ---------------------------------------------------------------------------------------


def test_fields_without_number() -> None:
    found = milter(add_headers={"X": ["1"] * 1005}, remove_headers={"X": [1] * 1005})
    assert (len(found.added), len(found.removed), FIELDS_MAX) == (1000, 1000, 1000)
    assert found.left_out == []


def test_fields_for_which_there_is_no_room() -> None:
    """256 KiB are the bytes of names and values; what is left out is named."""
    half = "x" * ((128 << 10) - 1)
    assert milter(add_headers={"A": half, "B": half, "C": ""}).left_out == ["C"]
    found = milter(add_headers={"A": half + "x", "B": half, "C": "y"})
    assert [name for name, _, _ in found.added] == [b"A", b"C"]
    assert found.left_out == ["B"]
    long = milter(add_headers={"\xe4" * 150_000: "x"})
    assert (long.added, long.left_out) == ([], ["\xe4" * 40])


@pytest.mark.parametrize("char", ["x", "\xe4"])
def test_long_texts(char: str) -> None:
    size = len(char.encode())
    name, text = char * (100 // size), char * (20_000 // size)
    found = said(
        "add header",
        subject=text + char,
        messages={"smtp_message": char * 5000},
        symbols={name: {"score": 1}, name + char: {"score": 1}},
        milter={
            "remove_headers": {name: 0, name + char: 0},
            "spam_header": {"A": text + char, "B": text},
        },
        **{"dkim-signature": [text, text + char, *map(str, range(20))]},
    )
    assert (found.subject, found.reply) == (text.encode(), char * 2000)
    assert found.symbols == [[name.encode(), 1.0]]
    assert found.removed == [[name.encode(), 0]]
    assert found.spam == [[b"B", text.encode()]]
    assert found.signatures == [text.encode(), *(b"%d" % number for number in range(9))]
    assert said("rewrite subject", subject=text).subject == text.encode()
    assert said("a" + char * 500).action == "a" + char * 99


def test_a_large_verdict_fits_into_a_frame() -> None:
    found = said(
        "add header",
        subject="x" * 20_000,
        symbols={f"{number:100}": {"score": 1} for number in range(5000)},
        milter={
            "remove_headers": {f"{number:100}": [1, 2] for number in range(5000)},
            "add_headers": {f"{number:100}": ["x" * 1000] for number in range(5000)},
            "spam_header": {str(number): "x" * 20_000 for number in range(50)},
        },
        **{"dkim-signature": ["x" * 20_000] * 50},
    )
    assert len(pack(list(found))) < FRAME_MAX


# --- fields that mark spam ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "spam"),
    [
        (None, [[b"X-Spam", b"yes"]]),
        ("very", [[b"X-Spam", b"very"]]),
        ("", [[b"X-Spam", b""]]),
        ({"X-Junk": "Yes", "X-Level": "5"}, [[b"X-Junk", b"Yes"], [b"X-Level", b"5"]]),
        ({"X-Junk": 7}, [[b"X-Spam", b"yes"]]),
        ({}, [[b"X-Spam", b"yes"]]),
        (["X"], [[b"X-Spam", b"yes"]]),
        (7, [[b"X-Spam", b"yes"]]),
    ],
)
def test_the_fields_that_mark_spam(fields: Any, spam: list[Any]) -> None:
    assert milter("add header", spam_header=fields).spam == spam
    assert milter("reject", spam_header=fields).spam == []


# --- what is to be done otherwise -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "harmless"), [(True, True), (False, False), (1, False), ("true", False)]
)
def test_no_action(value: Any, harmless: bool) -> None:
    assert milter("reject", no_action=value).harmless is harmless


@pytest.mark.parametrize(
    ("action", "members", "quarantine"),
    [
        ("reject", {"milter": {"reject": "quarantine"}}, True),
        ("reject", {"reject": "quarantine"}, True),
        ("reject", {"milter": {"reject": "discard"}, "reject": "quarantine"}, False),
        ("reject", {"milter": {"reject": ["quarantine"]}}, False),
        ("reject", {}, False),
        ("soft reject", {"milter": {"reject": "quarantine"}}, False),
        ("no action", {"milter": {"reject": "quarantine"}}, False),
        ("quarantine", {}, True),
        ("discard", {}, False),
    ],
)
def test_quarantine(action: str, members: dict[str, Any], quarantine: bool) -> None:
    assert said(action, **members).quarantine is quarantine


def test_what_no_filter_can_do() -> None:
    found = milter(change_from="x@example.com", add_rcpt=["y@example.com"], del_rcpt=[])
    assert found.impossible == ["change_from", "add_rcpt"]
    assert milter(del_rcpt=["z@example.com"]).impossible == ["del_rcpt"]


@pytest.mark.parametrize("block", [None, 7, "x", [], ["add_headers"]])
def test_a_milter_block_that_is_none(block: Any) -> None:
    assert said(milter=block) == said()
