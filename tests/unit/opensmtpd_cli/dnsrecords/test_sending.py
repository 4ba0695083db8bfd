"""Who sends and receives, as smtpd.conf tells."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd_cli.dnsrecords import sending
from opensmtpd_cli.smtpdconf import parser
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.system.network import own_addresses

ONE, TWO, SIX, NAT = map(ip_address, ("192.0.2.1", "192.0.2.2", "2001:db8::1", "10.0.0.5"))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_addresses, "outgoing", lambda: [ONE, SIX])


def conf(tmp_path: Path, text: str) -> Configuration:
    path = tmp_path / "smtpd.conf"
    path.write_text(text)
    return parser.read(str(path))


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        ("relay", [((ONE, SIX), None)]),
        ("relay backup", [((ONE, SIX), None)]),
        ("relay src 192.0.2.2", [((TWO,), None)]),
        ("relay src <pair>", [((TWO,), NAT)]),
        ("relay src <program>", [((), None)]),
        ("relay host smtp://a.example", []),
        ("relay domain <pair>", []),
        ("maildir", []),
    ],
)
def test_what_goes_straight_out(
    tmp_path: Path, relay: str, expected: list[tuple[object, object]]
) -> None:
    text = f"""\
table pair {{ 192.0.2.2, 10.0.0.5 }}
table program sqlite:/etc/none
action "out" {relay}
action "unused" relay src 192.0.2.9
match for any action "out"
"""
    found = sending.outgoing(conf(tmp_path, text), ())
    assert [(each.addresses, each.hidden) for each in found] == expected


def test_what_the_operator_says_stands_for_private_addresses(tmp_path: Path) -> None:
    both = conf(tmp_path, 'action "a" relay src { 192.0.2.2, 10.0.0.5 }\nmatch action "a"\n')
    [found] = sending.outgoing(both, (ONE,))
    assert (found.addresses, found.hidden) == ((ONE, TWO), None)
    public = conf(tmp_path, 'action "a" relay src 192.0.2.2\nmatch action "a"\n')
    assert sending.outgoing(public, (ONE,))[0].addresses == (TWO,)
    plain = conf(tmp_path, 'action "a" relay\nmatch action "a"\n')
    assert sending.outgoing(plain, (TWO,))[0].addresses == (TWO,)


def test_tables_of_programs(tmp_path: Path) -> None:
    text = """\
table t sqlite:/etc/none
action "in" maildir
action "out" relay src <t>
match from any for domain <t> action "in"
match for any action "out"
"""
    found = conf(tmp_path, text)
    assert not sending.outgoing(found, ())[0].listed
    [told] = sending.outgoing(found, (ONE,))
    assert (told.addresses, told.listed) == ((ONE,), True)
    assert sending.received(found) == {}
    assert sending.receives_more(found)
    relays = text.replace('domain <t> action "in"', 'domain <t> action "out"')
    assert not sending.receives_more(conf(tmp_path, relays))


def test_one_family(tmp_path: Path) -> None:
    relay = 'action "a" relay\nmatch action "a"\n'
    for limit, expected in (
        ("mta limit inet4", (ONE,)),
        ("mta limit inet6", (SIX,)),
        ("mta limit for domain a.example inet4", (ONE, SIX)),
    ):
        found = sending.outgoing(conf(tmp_path, f"{limit}\n{relay}"), ())
        assert found[0].addresses == expected


def test_the_domains_that_are_delivered_here(tmp_path: Path) -> None:
    (tmp_path / "domains").write_text("Example.ORG\n*.example.org\nlocalhost\n")
    found = sending.received(
        conf(
            tmp_path,
            f"""\
table domains file:{tmp_path}/domains
action "in" maildir
action "out" relay
match from any for domain <domains> action "in"
match from any for domain a.example action "out"
match for domain b.example action "in"
match from any for ! domain c.example action "in"
match from any for domain regex "d.example" action "in"
match from any for domain e.example reject
match from any for domain f.example action "in"
""",
        )
    )
    assert [(name, place.line) for name, place in found.items()] == [
        ("example.org", 4),
        ("f.example", 10),
    ]


def test_senders_chains_and_listeners(tmp_path: Path) -> None:
    found = conf(
        tmp_path,
        """\
table users { a = a@Example.com, b = "b@example.org, @example.net", c = c }
filter "x" phase connect match !rdns junk
filter "y" chain { x }
filter "z" chain { y }
listen on 127.0.0.1
listen on 0.0.0.0 port 587 tls-require pki p auth senders <users>
""",
    )
    assert sending.senders(found, found.listeners[0]) == set()
    last = next(each for each in found.listeners if each.senders)
    assert sending.senders(found, last) == {"example.com", "example.org", "example.net"}
    assert sending.filters(found, ["z"]) == {"x", "y", "z"}
    assert not sending.hears_the_world(found)
    assert sending.takes_mail_of_users(found)
    assert sending.hears_the_world(conf(tmp_path, "listen on eth0\n"))


def test_terms() -> None:
    assert [sending.spf_term(each) for each in (ONE, SIX)] == ["ip4:192.0.2.1", "ip6:2001:db8::1"]
