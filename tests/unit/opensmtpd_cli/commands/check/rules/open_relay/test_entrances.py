"""The listeners that strangers can use."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules.open_relay.entrances import entrances, family, loopback
from opensmtpd_cli.smtpdconf.directives import Listener, Place
from unit.support.smtpd_conf import read

FILTERS = """\
pki p cert "/c" key "/k"
ca c cert "/ca"
table t { a }
filter password phase mail-from match !auth reject "550 no"
filter known phase connect match !src <t> disconnect "550 no"
filter nameless phase connect match !rdns reject "550 no"
filter spam phase connect match !fcrdns junk
filter listed phase connect match src <t> reject "550 no"
filter program proc-exec "filter-x"
filter all chain { nameless, password }
"""


@pytest.mark.parametrize(
    "line",
    [
        "listen on 192.0.2.1",
        "listen on egress",
        "listen on mail.example.org port 587",
        "listen on ::",
        "listen on 192.0.2.1 tls pki p auth-optional",
        "listen on 192.0.2.1 filter { nameless, spam, listed, program }",
    ],
)
def test_open_ones(tmp_path: Path, line: str) -> None:
    assert len(list(entrances(read(tmp_path, FILTERS + line + "\n")))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "listen on socket",
        "listen on lo0",
        "listen on lo",
        "listen on localhost",
        "listen on 127.0.0.1",
        "listen on ::1",
        "listen on 192.0.2.1 tls pki p auth",
        "listen on 192.0.2.1 smtps verify pki p ca c",
        "listen on 192.0.2.1 tls-require verify pki p ca c",
        "listen on 192.0.2.1 filter password",
        "listen on 192.0.2.1 filter known",
        "listen on 192.0.2.1 filter all",
        "listen on 192.0.2.1 something-new",
    ],
)
def test_shut_ones(tmp_path: Path, line: str) -> None:
    assert list(entrances(read(tmp_path, FILTERS + line + "\n"))) == []


def test_one_of_each_tag_and_family(tmp_path: Path) -> None:
    text = "".join(
        f"listen on {where}\n"
        for where in ("192.0.2.1", "192.0.2.2", "192.0.2.3 tag A", "2001:db8::1", "egress inet6")
    )
    found = [(each.where, each.tag) for each in entrances(read(tmp_path, text))]
    assert found == [("192.0.2.1", ""), ("192.0.2.3", "A"), ("2001:db8::1", "")]


def test_what_a_listener_speaks() -> None:
    place = Place("", 1)
    assert family(Listener(place, "egress")) == 0
    assert family(Listener(place, "egress", family="inet4")) == 4
    assert family(Listener(place, "2001:db8::1")) == 6
    assert loopback(Listener(place, "lo12"))
    assert not loopback(Listener(place, "lounge"))
