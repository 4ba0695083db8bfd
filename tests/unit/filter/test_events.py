"""Events: what they hold, and what they do not show."""

from opensmtpd._protocol.filter import wire
from opensmtpd.filter import events


def test_passwords_are_not_shown() -> None:
    assert repr(events.Auth(1.0, b"PLAIN AGFsaWNlAHNlY3JldA==")) == "Auth(...)"
    assert str(events.Auth(1.0, b"PLAIN AGFsaWNlAHNlY3JldA==")) == "Auth(...)"
    assert f"{events.ProtocolClient(1.0, b'AGFsaWNlAHNlY3JldA==')}" == "ProtocolClient(...)"


def test_other_events_show_all() -> None:
    assert repr(events.MailFrom(1.5, b"a@b")) == "MailFrom(time=1.5, address=b'a@b')"


def test_helo_tells_its_verb() -> None:
    assert events.Helo(1.0, b"mx").verb == "EHLO"
    assert events.Helo(1.0, b"mx", "HELO").verb == "HELO"


def test_a_response_may_have_no_parameter() -> None:
    assert events.FilterResponse(1.0, "connected", "proceed").parameter is None


def test_the_classes_and_the_field_table_agree() -> None:
    for name, (make, fields) in wire.REPORTS.items():
        for order in fields.values() if isinstance(fields, dict) else [fields]:
            names = {field.strip("*?") for field in order.split()} | {"time"}
            assert names == set(make._fields), name  # type: ignore[attr-defined]
