"""The directives ``pki`` and ``ca``, and those that set one thing."""

from pathlib import Path

import pytest

from opensmtpd_cli.smtpdconf.directives import Ca, Pki
from unit.support.smtpd_conf import place, read


def test_certificates_of_one_name_in_several_lines(tmp_path: Path) -> None:
    text = 'pki MX.example cert "/c"\n# why\npki mx.example key "/k" dhe auto\n'
    configuration = read(tmp_path, text)
    first, third = place(tmp_path, 1), place(tmp_path, 3)
    assert configuration.pkis == {
        "mx.example": Pki(first, "mx.example", "/c", first, "/k", third, "auto")
    }
    assert configuration.rest == []


def test_the_last_certificate_of_a_name_counts(tmp_path: Path) -> None:
    pkis = read(tmp_path, 'pki "*" cert "/c"\npki "*" cert "/d" dhe none\n').pkis
    nowhere = Pki(place(tmp_path, 1), "*").key_place
    assert pkis["*"] == Pki(place(tmp_path, 1), "*", "/d", place(tmp_path, 2), "", nowhere, "none")


def test_authorities(tmp_path: Path) -> None:
    configuration = read(tmp_path, 'ca "*" cert "/ca.pem"\n')
    assert configuration.cas == {"*": Ca(place(tmp_path, 1), "*", "/ca.pem")}
    assert configuration.rest == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("admd mx.example", {"admd": "mx.example"}),
        ("bounce warn-interval 1h, 6h,2d", {"bounce warn-interval": "1h,6h,2d"}),
        ("queue compression", {"queue compression": ""}),
        ("queue encryption", {"queue encryption": ""}),
        ('queue encryption "x"', {"queue encryption": "x"}),
        ("queue ttl 4d", {"queue ttl": "4d"}),
        ("smtp ciphers HIGH", {"smtp ciphers": "HIGH"}),
        ("smtp max-message-size 35M", {"smtp max-message-size": "35M"}),
        ("smtp max-message-size 1048576", {"smtp max-message-size": "1048576"}),
        ('smtp sub-addr-delim "_"', {"sub-addr-delim": "_"}),
        (
            "smtp limit max-rcpt 100 max-mails 5",
            {"smtp limit max-rcpt": "100", "smtp limit max-mails": "5"},
        ),
        ("mta max-deferred 50", {"mta max-deferred": "50"}),
        (
            "mta limit inet4 max-conn-per-host 5",
            {"mta limit inet4": "", "mta limit max-conn-per-host": "5"},
        ),
        (
            "mta limit for domain x.example inet6 session-transaction-delay 1",
            {
                "mta limit for domain x.example inet6": "",
                "mta limit for domain x.example session-transaction-delay": "1",
            },
        ),
        ("mda limit max-session 7", {"mda limit max-session": "7"}),
        ('mda wrapper w "prog %{mda}"', {"mda wrapper w": "prog %{mda}"}),
        ("scheduler limit max-inflight 9", {"scheduler limit max-inflight": "9"}),
        (
            "srs key k\nsrs key backup b\nsrs ttl 4d",
            {"srs key": "k", "srs key backup": "b", "srs ttl": "4d"},
        ),
    ],
)
def test_settings(tmp_path: Path, text: str, wanted: dict[str, str]) -> None:
    configuration = read(tmp_path, f"{text}\n")
    assert configuration.settings == wanted
    assert configuration.rest == []


@pytest.mark.parametrize(
    "text",
    [
        "smtp shiny 5",
        "queue backup mx",
        "mta limit {",
        'pki x certificate "/c"',
        'ca x file "/c"',
        "srs moon",
        "user x",
        "accept from any for any relay",
    ],
)
def test_what_is_not_known_is_kept_as_words(tmp_path: Path, text: str) -> None:
    text = text.replace("{", "{ a }")
    configuration = read(tmp_path, f"\n{text}\n")
    [other] = configuration.rest
    assert (other.place, other.words) == (
        place(tmp_path, 2),
        tuple(text.replace('"', "").split()),
    )
    assert configuration.settings == {}
