"""The places of milters in arguments."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.place import Place, place


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("unix:/run/opendkim/opendkim.sock", "/run/opendkim/opendkim.sock"),
        ("local:/run/x", "/run/x"),
        ("/run/x", "/run/x"),
        ("/run/inet:1@h", "/run/inet:1@h"),
        ("unix:/run/a b:c@d", "/run/a b:c@d"),
        ("inet:8891@localhost", ("localhost", 8891)),
        ("inet:8891", ("localhost", 8891)),
        ("inet:1@192.0.2.1", ("192.0.2.1", 1)),
        ("inet:65535@192.0.2.1", ("192.0.2.1", 65535)),
        ("inet:localhost:8891", ("localhost", 8891)),
        ("inet:milter.example.org:00025", ("milter.example.org", 25)),
        ("inet:192.0.2.1:8891", ("192.0.2.1", 8891)),
        ("inet:8891@::1", ("::1", 8891)),
        ("inet:8891@[::1]", ("::1", 8891)),
        ("inet:[::1]:8891", ("::1", 8891)),
        ("inet:[2001:db8::5]:8891", ("2001:db8::5", 8891)),
        ("inet6:8891@::1", ("::1", 8891)),
        ("inet6:8891@[2001:db8::5]", ("2001:db8::5", 8891)),
        ("inet6:[::1]:8891", ("::1", 8891)),
        ("inet6:localhost:8891", ("localhost", 8891)),
        ("inet6:8891", ("localhost", 8891)),
    ],
)
def test_places(text: str, found: Place) -> None:
    assert place(text) == found


NONE = "is no place of a milter; write unix:/PATH, inet:PORT@HOST or inet:HOST:PORT"
NO_PATH = "has no absolute path; write unix:/PATH, inet:PORT@HOST or inet:HOST:PORT"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", NONE),
        ("localhost", NONE),
        ("localhost:8891", NONE),
        ("8891", NONE),
        ("8891@localhost", NONE),
        ("run/x", NONE),
        ("unix", NONE),
        ("unix:", NO_PATH),
        ("unix:run/x", NO_PATH),
        ("local:", NO_PATH),
        ("local:x", NO_PATH),
        ("UNIX:/run/x", NONE),
        ("fd:3", NONE),
        ("tcp:localhost:8891", NONE),
        ("inet", NONE),
        ("inet:", NONE),
        ("inet:localhost", NONE),
        ("inet:@localhost", NONE),
        ("inet:8891@", NONE),
        ("inet:localhost:", NONE),
        ("inet::8891", NONE),
        ("inet:port@localhost", NONE),
        ("inet:localhost:port", NONE),
        ("inet:-1@localhost", NONE),
        ("inet:0@localhost", NONE),
        ("inet:localhost:0", NONE),
        ("inet:0", NONE),
        ("inet:65536@localhost", NONE),
        ("inet:localhost:65536", NONE),
        ("inet:100000@localhost", NONE),
        ("inet:localhost:100000", NONE),
        ("inet:8891@a b", NONE),
        ("inet:8891@a\tb", NONE),
        ("inet:8891@a\n", NONE),
        ("inet:[]:8891", NONE),
        ("inet6:", NONE),
    ],
)
def test_what_is_none(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        place(text)
    assert str(raised.value) == f"{text!r} {words}"


def test_an_endless_text_is_cut() -> None:
    with pytest.raises(ConfigError) as raised:
        place("x" * 10_000)
    assert str(raised.value) == f"'{'x' * 199} {NONE}"
