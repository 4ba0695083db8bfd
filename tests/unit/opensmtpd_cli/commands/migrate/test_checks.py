"""The cells of rows, and the errors and warnings about rows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.table import Service
from opensmtpd.table.file import Row
from opensmtpd_cli.commands.migrate.checks import _PLAIN, cells, checks, row_of
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.plugin import table_values
from opensmtpd_cli.smtpdconf.row_kinds import RowKind


def warnings(service: Service, key: str, value: str | None = None) -> list[str]:
    entry = CatalogueEntry("t", RowKind.LIST if value is None else RowKind.MAPPING, (service,))
    return [text for check in checks(entry) if (text := check(Row(1, key, value)))]


@pytest.mark.parametrize(
    ("kind", "row", "wanted"),
    [
        (RowKind.LIST, ("a b", None), ("a b",)),
        (RowKind.LIST, ("ü", None), ("ü",)),
        (RowKind.LIST, ("a\udcff", None), (b"a\xff",)),
        (RowKind.MAPPING, ("a", "b: c"), ("a", "b: c")),
        (RowKind.MAPPING, ("a", "\t\udcff"), ("a", b"\t\xff")),
        (RowKind.CREDENTIALS, ("a", "Bob:x:y"), ("a", "Bob", "x:y")),
        (RowKind.CREDENTIALS, ("a", "$2b$10$x"), ("a", "a", "$2b$10$x")),
        (RowKind.USERINFO, ("a", "1000:0100:/home/a:b"), ("a", 1000, 100, "/home/a:b")),
        (RowKind.USERINFO, ("a", " 1:+2:/"), ("a", 1, 2, "/")),
    ],
)
def test_cells(kind: RowKind, row: tuple[str, str | None], wanted: tuple[object, ...]) -> None:
    assert cells(kind, Row(1, *row)) == wanted


@pytest.mark.parametrize(
    ("kind", "key", "value", "message"),
    [
        (RowKind.LIST, "", None, "an empty key"),
        (RowKind.LIST, "a" * 1024, None, "a key of 1,024 bytes; 1,023 are possible"),
        (RowKind.LIST, "é" * 512, None, "a key of 1,024 bytes; 1,023 are possible"),
        (RowKind.LIST, "a\rb", None, "a line end or NUL in the key"),
        (RowKind.MAPPING, "a", "", "an empty value"),
        (RowKind.MAPPING, "a", "b\nc", "a line end or NUL in the value"),
        (RowKind.MAPPING, "a", "b" * 2048, "a value of 2,048 bytes; 2,047 are possible"),
        (RowKind.CREDENTIALS, "a", ":x", "no user:hash"),
        (RowKind.CREDENTIALS, "a", "x:", "no user:hash"),
        (RowKind.CREDENTIALS, "a", "xy", "no user:hash"),
        (RowKind.CREDENTIALS, "a", "x" * 2047, "a value of 2,049 bytes; 2,047 are possible"),
        (RowKind.USERINFO, "a", "x:1:/", "no uid:gid:home with numbers for uid and gid"),
        (RowKind.USERINFO, "a", "1:4294967296:/", "no uid:gid:home with numbers for uid and gid"),
        (RowKind.USERINFO, "a", "1:2", "no uid:gid:home"),
        (RowKind.USERINFO, "a", "1:2:", "an empty home directory"),
        (RowKind.USERINFO, "a:b", "1:2:/", "no uid:gid:home"),
    ],
)
def test_rows_that_smtpd_could_not_use(
    kind: RowKind, key: str, value: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        cells(kind, Row(1, key, value))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("service", "key", "value"),
    [
        (Service.ALIAS, "a", "b c"),
        (Service.ALIAS, "a", '"b'),
        (Service.ALIAS, "a", "b\\"),
        (Service.MAILADDRMAP, "a", "'b"),
        (Service.SOURCE, "10.0.0.300", None),
        (Service.SOURCE, "10.0.0.0/8", None),
        (Service.SOURCE, "mail.example.org", None),
    ],
)
def test_what_smtpd_fails_on(service: Service, key: str, value: str | None) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        warnings(service, key, value)


@pytest.mark.parametrize(
    ("service", "key", "value", "message"),
    [
        (Service.ALIAS, "a", "|/bin/x", "a runs a program for each mail, as the user"),
        (Service.ALIAS, "a", 'b, "|/bin/x y"', "a runs a program for each mail, as the user"),
        (Service.ALIAS, "a", "b@c_d", "smtpd reads b@c_d as the user b"),
        (Service.ADDRNAME, "::1", "host", r"never asked for: smtpd writes \[::1\]"),
        (Service.ADDRNAME, "host", "host", "never asked for: 'host' is no address"),
        (Service.NETADDR, "10.0.0.300", None, "10.0.0.300 matches nothing"),
        (Service.NETADDR, "[::1", None, r"\[::1 matches nothing"),
        (Service.NETADDR, "[2001:db8::]/32", None, r"\[2001:db8::\]/32 matches nothing"),
        (Service.REGEX, "a(", None, r"a\( matches nothing: a group without its end"),
        (Service.REGEX, "(a{9}){999}", None, r".* matches nothing: with its repeats written out,"),
        (Service.DOMAIN, "\udcff", None, "a key that is not UTF-8"),
    ],
)
def test_what_does_not_help(service: Service, key: str, value: str | None, message: str) -> None:
    (warning,) = warnings(service, key, value)
    assert re.match(message, warning)


@pytest.mark.parametrize(
    ("service", "key", "value"),
    [
        (Service.ALIAS, "a", "b, c@example.org,d+e"),
        (Service.ALIAS, "a", ":include:/etc/mail/list"),
        (Service.ALIAS, "a", "/var/mail/archive"),
        (Service.ALIAS, "a", "error:550 gone"),
        (Service.MAILADDRMAP, "a", "@example.org, b"),
        (Service.SOURCE, "[::1]", None),
        (Service.SOURCE, "2001:db8::", None),
        (Service.ADDRNAME, "[::1]", "host"),
        (Service.NETADDR, "local", None),
        (Service.NETADDR, "10/8", None),
        (Service.NETADDR, "[2001:db8::/32]", None),
        (Service.NETADDR, "2001:db8::/32", None),
        (Service.REGEX, "^(a|b)+$", None),
        (Service.DOMAIN, "*.example.org", None),
        (Service.DOMAIN, "ü.example.org", None),
    ],
)  # fmt: skip
def test_nothing_to_say(service: Service, key: str, value: str | None) -> None:
    assert warnings(service, key, value) == []


@given(st.text("ab1@.,+- \t|/:'\"\\é", max_size=20))
def test_plain_aliases_are_what_the_whole_reading_finds_plain(value: str) -> None:
    if _PLAIN.fullmatch(value):
        kinds = {(kind, text == source) for kind, text, source in table_values.alias(value)}
        assert kinds <= {("user", True), ("address", True)}


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        (RowKind.LIST, ("Example.org",), "a key in upper case, which smtpd does not ask for"),
        (RowKind.LIST, ("",), "an empty key"),
        (RowKind.MAPPING, ("a", ""), "an empty value"),
        (RowKind.MAPPING, ("a", "x\ny"), "a line end or NUL in the value"),
        (RowKind.MAPPING, ("k" * 1024, "x"), "a key of 1,024 bytes; 1,023 are possible"),
        (RowKind.CREDENTIALS, ("a", "a", ""), "no user:hash"),
        (RowKind.CREDENTIALS, ("a", "", "hash"), "no user:hash"),
        (RowKind.USERINFO, ("a", -1, 2, "/"), "with numbers for uid and gid"),
        (RowKind.USERINFO, ("a", 1, 2**32, "/"), "with numbers for uid and gid"),
        (RowKind.USERINFO, ("a", 1, 2, ""), "an empty home directory"),
    ],
)
def test_rows_that_somebody_else_has_written(
    kind: RowKind, row: tuple[str | int, ...], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        row_of(kind, row)


def test_rows_of_our_own_are_rows() -> None:
    for kind, row in (
        (RowKind.LIST, ("a b",)),
        (RowKind.MAPPING, ("\u00fc", "b: c")),
        (RowKind.CREDENTIALS, ("a", "a", "x:y")),
        (RowKind.USERINFO, ("a", 0, 2**32 - 1, "/home/a:b")),
    ):
        row_of(kind, row)
