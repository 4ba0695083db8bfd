"""The records that a domain should have, by smtpd.conf and by what is there."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd_cli.commands.dns.records import MailServer, WantedRecord, host, records
from opensmtpd_cli.smtpdconf import parser
from opensmtpd_cli.smtpdconf.configuration import Configuration
from unit.support.dkim_material import ED25519_PEM, ED25519_PUBLIC
from unit.support.plain_dns import result

ONE, SIX = ip_address("192.0.2.1"), ip_address("2001:db8::1")
SERVER = MailServer("mail.example.com", (ONE, SIX), None)
IN = 'action "in" maildir\nmatch from any for domain { example.com } action "in"\n'
OUT = 'action "out" relay\nmatch for any action "out"\n'


def conf(tmp_path: Path, text: str) -> Configuration:
    path = tmp_path / "smtpd.conf"
    path.write_text(text)
    return parser.read(str(path))


def rows(
    tmp_path: Path, group: int, *zone: str, text: str = IN + OUT, server: MailServer = SERVER,
    slow: tuple[str, ...] = (),
) -> list[WantedRecord]:  # fmt: skip
    lookup = records(conf(tmp_path, text), "example.com", server)
    found = result(lookup, *zone, slow=slow)
    assert len(found) == 7
    group_found: list[WantedRecord] = found[group]
    return group_found


def test_nothing_is_there(tmp_path: Path) -> None:
    found = result(records(conf(tmp_path, IN + OUT), "example.com", SERVER))
    nothing = "nothing is there"
    assert [row for group in found for row in group] == [
        WantedRecord("mail.example.com. IN A 192.0.2.1", nothing),
        WantedRecord("mail.example.com. IN AAAA 2001:db8::1", nothing),
        WantedRecord("1.2.0.192.in-addr.arpa. IN PTR mail.example.com.", nothing),
        WantedRecord(f"1{'.0' * 23}.8.b.d.0.1.0.0.2.ip6.arpa. IN PTR mail.example.com.", nothing),
        WantedRecord("example.com. IN MX 10 mail.example.com.", nothing),
        WantedRecord('example.com. IN TXT "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"', nothing),
        WantedRecord(
            "",
            "DKIM: no filter-dkimsign of smtpd.conf signs for example.com: opensmtpd-plugins"
            " genkey --domain example.com --selector mail",
        ),
        WantedRecord(
            '_dmarc.example.com. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@example.com"',
            nothing,
        ),
    ]


def test_other_records_are_there(tmp_path: Path) -> None:
    zone = (
        "mail.example.com A 192.0.2.9",
        "1.2.0.192.in-addr.arpa PTR host-1.provider.example",
        "example.com MX mx.example.net",
    )
    assert [row.now for row in rows(tmp_path, 0, *zone)] == ["now: 192.0.2.9"] * 2
    assert rows(tmp_path, 1, *zone)[0].now == "now: host-1.provider.example"
    assert rows(tmp_path, 2, *zone)[0].now == "now: mx.example.net"
    [row] = rows(tmp_path, 2, *zone, text=OUT)
    assert row == WantedRecord(
        "", "MX: smtpd.conf delivers no mail for example.com here; now: mx.example.net"
    )


def test_a_program_may_keep_the_domains(tmp_path: Path) -> None:
    text = "table t sqlite:/etc/none\n" + IN.replace("{ example.com }", "<t>")
    [row] = rows(tmp_path, 2, text=text)
    assert row.record == "example.com. IN MX 10 mail.example.com."


def test_an_spf_record_is_kept_and_added_to(tmp_path: Path) -> None:
    def spf(text: str) -> WantedRecord:
        [row] = rows(tmp_path, 3, f"example.com TXT {text}")
        return row

    good = "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all"
    assert spf(good) == WantedRecord(f'example.com. IN TXT "{good}"', "it is there")
    lacking = "v=spf1 ip4:192.0.2.0/24 -all"
    assert spf(lacking) == WantedRecord(
        'example.com. IN TXT "v=spf1 ip6:2001:db8::1 ip4:192.0.2.0/24 -all"', f"now: {lacking}"
    )
    broken = "v=spf1 ip:192.0.2.1 -all"
    assert spf(broken) == WantedRecord(
        'example.com. IN TXT "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"', f"now: {broken}"
    )


def test_spf_where_no_address_is_known(tmp_path: Path) -> None:
    nobody = SERVER._replace(addresses=())
    [row] = rows(tmp_path, 3, server=nobody)
    assert row.record == 'example.com. IN TXT "v=spf1 mx ~all"'
    [row] = rows(
        tmp_path, 3, server=nobody, text=IN + OUT.replace("relay", "relay host mx.a.example")
    )
    assert row.record == ""
    assert row.now.startswith("SPF: mail goes out by the relay of others: ")


def test_the_keys_of_filters(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(ED25519_PEM)
    table = tmp_path / "table"
    table.write_text("example.com ed key\nexample.org other key\nexample.com gone none\n")
    text = f'filter "sign" proc-exec "filter-dkimsign -f {table}"\n' + IN
    record = ED25519_PUBLIC.decode()
    here, gone = rows(tmp_path, 4, f"ed._domainkey.example.com TXT {record}", text=text)
    assert here == WantedRecord(f'ed._domainkey.example.com. IN TXT "{record}"', "it is there")
    assert gone.now.startswith(f"DKIM: {tmp_path}/none: ")
    assert rows(tmp_path, 4, text=text)[0].now == "nothing is there"
    slow = rows(tmp_path, 4, text=text, slow=("ed._domainkey.example.com TXT",))
    assert slow[0].now == "not known: timed out"


def test_policies(tmp_path: Path) -> None:
    above = rows(tmp_path, 5, "_dmarc.example.com TXT v=DMARC1; p=none")
    assert above == [WantedRecord('_dmarc.example.com. IN TXT "v=DMARC1; p=none"', "it is there")]
    [wrong] = rows(tmp_path, 5, "_dmarc.example.com TXT v=DMARC1 p=none")
    assert wrong.now == "now: v=DMARC1 p=none"
    assert rows(tmp_path, 6) == []
    zone = (
        "_mta-sts.example.com TXT v=STSv1; id=1",
        "_smtp._tls.example.com TXT v=TLSRPTv1; rua=mailto:a@example.com",
    )
    assert [row.now for row in rows(tmp_path, 6, *zone)] == [
        "mta-sts.example.com, which has the policy, has no address",
        "it is there",
    ]


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        ("relay src { 192.0.2.1, 2001:db8::1 }", MailServer("own.example", (ONE, SIX), None)),
        ("relay helo Mail.Example.com src 192.0.2.1", MailServer("mail.example.com", (ONE,), None)),
        ("relay src 10.0.0.1", MailServer("own.example", (), ip_address("10.0.0.1"))),
        ("relay host mx.a.example", MailServer("own.example", (), None)),
    ],
)
def test_the_host(tmp_path: Path, relay: str, expected: MailServer) -> None:
    configuration = conf(tmp_path, OUT.replace("relay", relay))
    assert host(configuration, (), "own.example.") == expected


def test_the_host_by_the_words_of_the_operator(tmp_path: Path) -> None:
    configuration = conf(tmp_path, OUT.replace("relay", "relay host mx.a.example"))
    assert host(configuration, (ONE,), "own.example").addresses == (ONE,)
