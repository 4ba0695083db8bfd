import pytest

from opensmtpd.testing.model.syntax import address, valid_domain, valid_refusal


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"<bob@remote.example>", b"bob@remote.example"),
        (b"<bob@remote.example> SIZE=10", b"bob@remote.example"),
        (b"<bob+tag@[192.0.2.1]>", b"bob+tag@[192.0.2.1]"),
        (b"<bob>", b"bob"),
        (b"<\xfc@remote.example>", b"\xfc@remote.example"),
        (b"<>", None),
        (b"bob@remote.example", None),
        (b" <bob@remote.example>", None),
        (b"<bob@remote.example", None),
        (b"<a|b@remote.example>", None),
        (b"<bob@-remote.example>", None),
        (b"<bob@remote..example>", None),
        (b"<@remote.example>", None),
        (b"", None),
    ],
)
def test_addresses(argument: bytes, expected: bytes | None) -> None:
    assert address(argument, empty=False) == expected


def test_the_null_sender() -> None:
    assert address(b"<>", empty=True) == b""


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        (b"mx.example.org", True),
        (b"a_b.example", True),
        (b"[192.0.2.1]", True),
        (b"[IPv6:2001:db8::1]", True),
        (b"[2001:db8::1]", True),
        (b"[192.0.2.1", False),
        (b"[mx.example]", False),
        (b"mx.example.", False),
        (b"a|b", False),
        (b"a b", False),
        (b"", False),
        (b"x" * 255, True),
        (b"x" * 256, False),
    ],
)
def test_domains(name: bytes, valid: bool) -> None:
    assert valid_domain(name) == valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (b"550 no", True),
        (b"421 x", True),
        (b"550 ", False),
        (b"550", False),
        (b"550-no", False),
        (b"250 fine", False),
        (b"5x0 no", False),
        (b"", False),
    ],
)
def test_refusals(text: bytes, valid: bool) -> None:
    assert valid_refusal(text) == valid
