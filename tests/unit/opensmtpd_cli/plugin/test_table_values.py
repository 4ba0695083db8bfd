"""Values as smtpd reads them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd_cli.plugin import table_values


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("bob", [("user", "bob")]),
        ("bob, carol@example.org ,", [("user", "bob"), ("address", "carol@example.org")]),
        (" ,, ", []),
        ("|/bin/prog -x", [("program", "/bin/prog -x")]),
        ('"|/bin/prog a, b"', [("program", "/bin/prog a, b")]),
        ("|a@b", [("program", "a@b")]),
        ('"|"', [("program", "")]),
        ("/var/mail/x, :include:/etc/list", [("file", "/var/mail/x"), ("include", "/etc/list")]),
        ("INCLUDE:/etc/list", [("include", "/etc/list")]),
        ("error:550 gone", [("error", "550 gone")]),
        (":error:450 later", [("error", "450 later")]),
        (r"|a\,b", [("program", "a,b")]),
        ("|it's' x", [("program", "it's' x")]),
        # smtpd cuts at the @ before it looks at the domain, and is content with the rest
        ("bob@exa_mple.org", [("user", "bob")]),
        ("a@b@c", [("user", "a")]),
    ],
)
def test_an_alias(value: str, wanted: list[tuple[str, str]]) -> None:
    assert [(kind, text) for kind, text, _ in table_values.alias(value)] == wanted


@pytest.mark.parametrize(
    "value",
    [
        "two words",
        "@example.org",
        "bob@",
        "bob, with space@example.org",
        '"|unclosed',
        "it's",
        "end\\",
        "include:relative",
        "error:200 fine",
        "error:550-x",
        "ü",
        "u" * 256,
        ", ".join(["x@example.org"] * 200),
    ],
)
def test_no_alias(value: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        table_values.alias(value)


def test_the_source_of_a_destination() -> None:
    assert table_values.alias("bob@exa_mple.org")[0].source == "bob@exa_mple.org"


@given(st.text())
def test_any_value_is_read_or_refused(value: str) -> None:
    for read in (
        table_values.alias,
        table_values.addresses,
        table_values.credentials,
        table_values.ip_address,
    ):
        with suppress(ValueError):
            read(value)
    with suppress(ValueError):
        table_values.userinfo("key", value)


@given(st.lists(st.from_regex(r"[a-z]{1,8}(@[a-z]{1,8}\.org)?", fullmatch=True), max_size=20))
def test_what_is_joined_comes_apart_again(destinations: list[str]) -> None:
    assert [found.text for found in table_values.alias(", ".join(destinations))] == destinations


@pytest.mark.parametrize("value", ["$2b$10$x", "alice:$2b$10$x", "a:b:c"])
def test_credentials(value: str) -> None:
    table_values.credentials(value)


@pytest.mark.parametrize("value", ["ab", ":hash", "alice:", "x" * 2048])
def test_no_credentials(value: str) -> None:
    with pytest.raises(ValueError, match=r"^no user:hash$"):
        table_values.credentials(value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("1000:100:/home/a", (1000, 100, "/home/a")),
        ("0:4294967295:", (0, 4294967295, "")),
        (" 1:+2:/a:b", (1, 2, "/a:b")),
    ],
)
def test_userinfo(value: str, wanted: tuple[int, int, str]) -> None:
    assert table_values.userinfo("a", value) == wanted


@pytest.mark.parametrize(
    "value", ["1000:100", "x:1:/", "-1:1:/", "4294967296:1:/", "1 2:1:/", "::"]
)
def test_no_userinfo(value: str) -> None:
    with pytest.raises(ValueError, match=r"^no uid:gid:home"):
        table_values.userinfo("a", value)


@pytest.mark.parametrize(
    "value", ["192.0.2.1", "2001:db8::1", "[2001:db8::1]", "IPv6:2001:db8::1", "fe80::1%1"]
)
def test_an_ip_address(value: str) -> None:
    table_values.ip_address(value)


@pytest.mark.parametrize("value", ["", "example.org", "192.0.2.1:25", "192.0.2.0/24", "1"])
def test_no_ip_address(value: str) -> None:
    with pytest.raises(ValueError, match=r"is no address$"):
        table_values.ip_address(value)


def test_an_ipv6_address_before_7_9() -> None:
    with pytest.raises(ValueError, match=r"since 7\.9 only$"):
        table_values.ip_address("2001:db8::1", six=False)


def test_addresses() -> None:
    assert table_values.addresses("a@b, @c ,d,*@e") == ["a@b", "@c", "d", "*@e"]
    with pytest.raises(ValueError, match="an address of 258 bytes"):
        table_values.addresses("a" * 256 + "@b")
