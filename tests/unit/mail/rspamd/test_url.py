from typing import Any

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.rspamd.url import DEFAULT, Url, url


@pytest.mark.parametrize(
    ("text", "found", "host_field"),
    [
        (DEFAULT, ("", "localhost", 11333, False, ""), "localhost:11333"),
        ("http://192.0.2.7", ("", "192.0.2.7", 80, False, ""), "192.0.2.7"),
        ("http://h.example:80/", ("", "h.example", 80, False, ""), "h.example"),
        ("http://h.example:443", ("", "h.example", 443, False, ""), "h.example:443"),
        ("https://H.Example", ("", "h.example", 443, True, ""), "h.example"),
        ("https://h.example:80", ("", "h.example", 80, True, ""), "h.example:80"),
        ("https://h.example:443/a/b/", ("", "h.example", 443, True, "/a/b"), "h.example"),
        ("http://[2001:db8::7]:11333/x", ("", "2001:db8::7", 11333, False, "/x"),
         "[2001:db8::7]:11333"),
        ("http://[::1]", ("", "::1", 80, False, ""), "[::1]"),
        ("http://h.example:0", ("", "h.example", 0, False, ""), "h.example:0"),
        ("/var/run/rspamd.sock", ("/var/run/rspamd.sock", "", 0, False, ""), "localhost"),
        ("/tmp/a b", ("/tmp/a b", "", 0, False, ""), "localhost"),
    ],
)  # fmt: skip
def test_urls(text: str, found: tuple[str, str, int, bool, str], host_field: str) -> None:
    made = url(text)
    assert made == (text, *found)
    assert made.host_field == host_field
    plain: Any = list(made)
    assert Url(*plain) == made  # in the worker


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no URL and no absolute path"),
        ("rspamd.sock", "'rspamd.sock' is no URL and no absolute path"),
        ("ftp://h.example", "'ftp://h.example' is no URL and no absolute path"),
        ("HTTP://h.example", "'HTTP://h.example' is no URL and no absolute path"),
        ("http:", "'http:' is no URL"),
        ("http://", "'http://' is no URL"),
        ("http://:11333", "'http://:11333' is no URL"),
        ("httpx://h.example", "'httpx://h.example' is no URL"),
        ("http-socket", "'http-socket' is no URL"),
        ("http://h.example:x", "'http://h.example:x' is no URL"),
        ("http://h.example:65536", "'http://h.example:65536' is no URL"),
        ("http://h.example:-1", "'http://h.example:-1' is no URL"),
        ("http://[::1", "'http://[::1' is no URL"),
        ("http://h.example/a b", "'http://h.example/a b' is no URL"),
        ("http://h.example/\xe4", "'http://h.example/\xe4' is no URL"),
        ("http://b\xfccher.example", "'http://b\xfccher.example' is no URL"),
        ("http://" + "x" * 500 + ":x", "'http://" + "x" * 192 + " is no URL"),
    ],
)
def test_what_is_none(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        url(text)
    remedy = "write http://HOST:PORT, https://HOST:PORT, or the path of a unix socket"
    assert str(raised.value) == f"{words}; {remedy}"


@pytest.mark.parametrize(
    "text",
    ["http://me:secret@h.example", "http://me@h.example", "http://h.example?secret",
     "http://h.example/x#secret"],
)  # fmt: skip
def test_a_password_is_not_told(text: str) -> None:
    with pytest.raises(ConfigError, match="has no user, no query and no fragment") as raised:
        url(text)
    assert "secret" not in str(raised.value)
