"""URLs of directories."""

import re

import pytest

from opensmtpd.backends.ldap.url import LdapUrl, url


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "path", "shown"),
    [
        ("ldap://a.example", "ldap", "a.example", 389, "", "ldap://a.example:389"),
        ("LDAP://a.example", "ldap", "a.example", 389, "", "ldap://a.example:389"),
        ("ldap://127.0.0.1:3389", "ldap", "127.0.0.1", 3389, "", "ldap://127.0.0.1:3389"),
        ("ldap://a:", "ldap", "a", 389, "", "ldap://a:389"),
        ("ldap://a/dc=x?uid?sub", "ldap", "a", 389, "", "ldap://a:389"),
        ("ldap://a?uid", "ldap", "a", 389, "", "ldap://a:389"),
        ("ldaps://a", "ldaps", "a", 636, "", "ldaps://a:636"),
        ("ldap://[::1]", "ldap", "::1", 389, "", "ldap://[::1]:389"),
        ("ldaps://[2001:db8::1]:1636/", "ldaps", "2001:db8::1", 1636, "",
         "ldaps://[2001:db8::1]:1636"),
        ("ldapi://%2Frun%2Fslapd%2Fldapi", "ldapi", "", 0, "/run/slapd/ldapi",
         "ldapi://%2Frun%2Fslapd%2Fldapi"),
        ("ldapi://%2Frun%2fa%20b%25/", "ldapi", "", 0, "/run/a b%", "ldapi://%2Frun%2Fa%20b%25"),
        ("ldapi://%2F%FF", "ldapi", "", 0, "/\udcff", "ldapi://%2F%FF"),
    ],
)  # fmt: skip
def test_servers(text: str, scheme: str, host: str, port: int, path: str, shown: str) -> None:
    assert url(text) == LdapUrl(scheme, host, port, path)
    assert str(url(text)) == shown


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a.example", "no URL that begins with ldap://, ldaps:// or ldapi://"),
        ("http://a", "no URL that begins with ldap://, ldaps:// or ldapi://"),
        ("ldap:a", "no URL that begins with ldap://, ldaps:// or ldapi://"),
        ("ldap://", "it names no host"),
        ("ldap:///dc=x", "it names no host"),
        ("ldap://a b", "it names no host"),
        ("ldap://u:p@host", "it names no host"),
        ("ldap://::1", "it names no host"),
        ("ldap://a:0", "0 is no port"),
        ("ldap://a:65536", "65536 is no port"),
        ("ldapi://", "ldapi:// takes the path of a socket, with %2F for '/':"
         " ldapi://%2Frun%2Fslapd%2Fldapi"),
        ("ldapi:///run/slapd/ldapi", "ldapi:// takes the path of a socket, with %2F for '/':"
         " ldapi://%2Frun%2Fslapd%2Fldapi"),
        ("ldapi://%2Fa%00", "ldapi:// takes the path of a socket, with %2F for '/':"
         " ldapi://%2Frun%2Fslapd%2Fldapi"),
    ],
)  # fmt: skip
def test_what_is_none(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(fault)}$"):
        url(text)
