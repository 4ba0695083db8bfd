from typing import Any

import pytest

from opensmtpd.filter import Session
from opensmtpd.mail.rspamd.request import HEAD_MAX, USES, VALUE_MAX, fields, told

BEGIN = [[b"Pass", b"All"], [b"Milter", b"Yes"]]


def session(**values: Any) -> Session:
    made = Session("9e3779b97f4a7c15", USES)
    usual = {
        "rdns": b"mx.remote.example",
        "source": b"192.0.2.5:40721",
        "greeting": b"mx.example.com",
        "identity": b"helo.remote.example",
        "msgid": "fe94f82a",
        "sender": b"bob@remote.example",
        "recipients": [b"alice@example.com"],
    }
    for name, value in {**usual, **values}.items():
        setattr(made, name, value)
    return made


def test_all_that_smtpd_knows() -> None:
    tls = b"TLSv1.3:TLS_AES_256_GCM_SHA384:256"
    assert fields(session(username=b"bob", tls=tls), "strict") == [
        *BEGIN,
        [b"Ip", b"192.0.2.5"],
        [b"Helo", b"helo.remote.example"],
        [b"MTA-Name", b"mx.example.com"],
        [b"Queue-Id", b"fe94f82a"],
        [b"From", b"bob@remote.example"],
        [b"Hostname", b"mx.remote.example"],
        [b"Deliver-To", b"alice@example.com"],
        [b"User", b"bob"],
        [b"Settings-ID", b"strict"],
        [b"TLS-Version", b"TLSv1.3"],
        [b"TLS-Cipher", b"TLS_AES_256_GCM_SHA384"],
        [b"Rcpt", b"alice@example.com"],
    ]


def values(name: bytes, settings_id: str = "", **of: Any) -> list[bytes]:
    """Return the values of a header of the request."""
    return [value for each, value in fields(session(**of), settings_id) if each == name]


def test_source_routes_are_left_out() -> None:
    """smtpd does so: rspamd would judge by the settings of somebody else."""
    routed: dict[str, Any] = {
        "sender": b"@relay.example:bob@remote.example",
        "recipients": [b"postmaster@x:alice@example.com"],
    }
    assert values(b"From", **routed) == [b"bob@remote.example"]
    assert values(b"Rcpt", **routed) == values(b"Deliver-To", **routed) == [b"alice@example.com"]


def test_of_a_session_about_which_nothing_is_known() -> None:
    assert fields(Session("9e3779b97f4a7c15", USES), "") == [
        *BEGIN,
        [b"Ip", b""],
        [b"Helo", b""],
        [b"MTA-Name", b""],
        [b"Queue-Id", b""],
        [b"From", b""],
        [b"Hostname", b""],
    ]


@pytest.mark.parametrize(
    ("source", "address"),
    [
        (b"192.0.2.5:40721", b"192.0.2.5"),
        (b"[2001:db8::5]:25", b"2001:db8::5"),
        (b"[::ffff:192.0.2.5]:25", b"::ffff:192.0.2.5"),
        (b"unix:/var/run/smtpd.sock", b"127.0.0.1"),
    ],
)
def test_addresses(source: bytes, address: bytes) -> None:
    assert values(b"Ip", source=source) == [address]


def test_a_client_without_a_name_has_no_hostname() -> None:
    assert values(b"Hostname", rdns=b"<unknown>") == []


def test_several_recipients_have_no_user_of_their_own() -> None:
    several = [b"a@example.com", b"b@example.com", b"c@example.com"]
    assert values(b"Rcpt", recipients=several) == several
    assert values(b"Deliver-To", recipients=several) == []
    assert values(b"Deliver-To", recipients=[b"a@example.com"]) == [b"a@example.com"]


def test_the_empty_sender() -> None:
    assert values(b"From", sender=b"") == [b""]


@pytest.mark.parametrize(
    ("settings_id", "sent"),
    [("", []), ("strict", [b"strict"]), ("gr\xfcn", [b"gr\xc3\xbcn"])],
)
def test_settings(settings_id: str, sent: list[bytes]) -> None:
    assert values(b"Settings-ID", settings_id) == sent


def test_the_user() -> None:
    assert values(b"User") == []
    assert values(b"User", username=b"a|b c") == [b"a|b c"]


@pytest.mark.parametrize(
    ("name", "attribute"),
    [(b"Helo", "identity"), (b"MTA-Name", "greeting"), (b"From", "sender"), (b"User", "username"),
     (b"Hostname", "rdns"), (b"TLS-Version", "tls")],
)  # fmt: skip
def test_no_value_ends_its_line(name: bytes, attribute: str) -> None:
    value: Any = b" a\r\nPass\0\tb\xff\t"
    assert values(name, **{attribute: value}) == [b"aPass\tb\xff"]


# --- bounds ---------------------------------------------------------------------------------------


def size(head: list[list[bytes]]) -> int:
    return sum(len(b"%s: %s\r\n" % (name, value)) for name, value in head)


def test_recipients_without_room_are_left_out() -> None:
    """All else is there, and as many recipients as have room."""
    many = [b"alice+%0100d@example.com" % number for number in range(1000)]
    head = fields(session(recipients=many, username=b"bob"), "strict")
    count = told(head)
    assert [value for name, value in head if name == b"Rcpt"] == many[:count]
    assert HEAD_MAX - 126 < size(head) <= HEAD_MAX == 61_440
    others = fields(session(recipients=many[:2], username=b"bob"), "strict")[:-2]
    assert head[:-count] == others


def test_few_recipients_are_told_all() -> None:
    several = [b"a@example.com", b"b@example.com"]
    assert told(fields(session(recipients=several), "")) == 2
    assert told(fields(session(recipients=[]), "")) == 0


@pytest.mark.parametrize(
    ("name", "attribute"),
    [(b"Helo", "identity"), (b"MTA-Name", "greeting"), (b"From", "sender"), (b"User", "username"),
     (b"Hostname", "rdns"), (b"TLS-Version", "tls")],
)  # fmt: skip
def test_each_value_is_bounded(name: bytes, attribute: str) -> None:
    """What one says takes no room from the others."""
    value: Any = b"x" * 65_000
    assert values(name, **{attribute: value}) == [b"x" * VALUE_MAX]
    assert values(b"Rcpt", **{attribute: value}) == [b"alice@example.com"]
    assert VALUE_MAX == 2048


def test_all_that_a_client_says_at_its_longest() -> None:
    long = b"x" * 65_000
    of: dict[str, Any] = {"rdns": long, "identity": long, "greeting": long, "sender": long}
    of |= {"username": long, "tls": b"%s:%s:256" % (long, long), "recipients": [long] * 1000}
    head = fields(session(**of), "s" * 65_000)
    assert size(head) <= HEAD_MAX
    assert {name for name, _ in head} == {
        *(b"Pass", b"Milter", b"Ip", b"Helo", b"MTA-Name", b"Queue-Id", b"From", b"Hostname"),
        *(b"User", b"Settings-ID", b"TLS-Version", b"TLS-Cipher", b"Rcpt"),
    }
