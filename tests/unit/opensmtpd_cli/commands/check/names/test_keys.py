"""Keys of filter-dkimsign: published, equal, strong, in use, and of the right domains."""

import os
import time
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.names.keys import (
    keys_unlooked,
    left_over,
    published,
    strange_senders,
)
from unit.support.check_names import Situation
from unit.support.dkim_material import ED25519_PEM, ED25519_PUBLIC, RSA_PEM, RSA_PUBLIC

ED = ED25519_PUBLIC.decode()
OLD = time.time() - 20 * 86400


def line(flags: str, name: str = "sign") -> str:
    return f'filter "{name}" proc-exec "filter-dkimsign {flags}" user _dkimsign group _dkimsign\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dkim"
    folder.mkdir()
    (folder / "ed.key").write_text(ED25519_PEM)
    (folder / "rsa.key").write_text(RSA_PEM)
    (folder / "table").write_text("example.com ed ed.key\nexample.org weak rsa.key\n")
    return folder


@pytest.fixture
def good(tmp_path: Path, folder: Path) -> Situation:
    text = line(f"-a ed25519-sha256 -d example.com -s ed -k {folder}/ed.key")
    return Situation(tmp_path / "smtpd.conf", text, (f"ed._domainkey.example.com TXT {ED}",))


def found(situation: Situation) -> list[str]:
    said = situation.said(keys_unlooked, strange_senders)
    return said + situation.found(published, left_over) if situation.dns else said


def test_a_key_that_is_published(good: Situation) -> None:
    assert found(good) == []
    assert found(good._replace(dns=False, records=())) == []
    assert found(good._replace(text='filter "x" proc-exec "filter-rspamd"\n')) == []
    assert found(good._replace(text='filter "x" phase connect match !rdns junk\n')) == []


def test_a_key_that_is_not(good: Situation, folder: Path) -> None:
    assert found(good._replace(records=())) == [
        f"1 warning dkim-key-unpublished: key {folder}/ed.key for ed._domainkey.example.com:"
        f' not published -> publish ed._domainkey.example.com. IN TXT "{ED}"'
    ]
    twice = good.text + line(f"-A -a ed25519-sha256 -d example.com -s ed -k {folder}/ed.key", "arc")
    assert len(found(good._replace(records=(), text=twice))) == 1


def test_another_key_and_a_domain_that_tests(good: Situation) -> None:
    other = f"ed._domainkey.example.com TXT {ED.replace('11qY', '22qY')}"
    [said] = found(good._replace(records=(other,)))
    assert said.startswith("1 warning dkim-key-different: ")
    [said] = found(good._replace(records=(f"{good.records[0]}; t=y",)))
    assert said.startswith("1 warning dkim-key-testing: the record ed._domainkey.example.com says")
    [said] = found(good._replace(records=("ed._domainkey.example.com TXT v=DKIM1; p=",)))
    assert said.startswith("1 warning dkim-key-revoked: ")


def test_a_key_table_and_a_weak_key(good: Situation, folder: Path) -> None:
    weak = f"weak._domainkey.example.org TXT {RSA_PUBLIC.decode()}"
    table = good._replace(text=line(f"-f {folder}/table"), records=(*good.records, weak))
    assert found(table) == [
        f"2 warning dkim-key-weak: key {folder}/rsa.key for weak._domainkey.example.org is an RSA"
        " key of 1024 bits, fewer than 2048 -> opensmtpd-plugins genkey, with --rotate for a key"
        " table"
    ]


def test_what_the_dns_does_not_tell(good: Situation, folder: Path) -> None:
    slow = good._replace(slow=("ed._domainkey.example.com TXT",))
    assert found(slow) == [
        f"1 unseen dkim-key-unseen: key {folder}/ed.key for ed._domainkey.example.com:"
        " the DNS did not tell: timed out"
    ]


def test_what_cannot_be_looked_at(good: Situation, folder: Path) -> None:
    made = good._replace(text=line("-d `hostname` -s ed -k x"))
    assert found(made) == [
        "1 unseen dkim-key-unseen: the keys of filter sign could not be looked at:"
        " its command is made by the shell"
    ]
    table = good._replace(text=line(f"-f {folder}/gone"))
    assert found(table) == []
    [said] = found(table._replace(root=False))
    assert said.startswith("1 unseen dkim-key-unseen: the keys of filter sign could not be looked")
    (folder / "ed.key").unlink()
    assert found(good) == []  # that is said by those who start the filter
    [said] = found(good._replace(root=False))
    assert said.startswith(f"1 unseen dkim-key-unseen: the key {folder}/ed.key could not be read:")
    assert said.endswith(" -> run it as root")


LOCAL = """\
action "in" maildir
match from any for domain { example.com, example.net } action "in"
"""


def test_a_domain_that_is_misspelt(good: Situation, folder: Path) -> None:
    text = good.text.replace("-d example.com", "-d exmaple.com") + LOCAL
    [said] = found(good._replace(text=text))
    assert said.startswith(
        f"1 warning dkim-key-unpublished: key {folder}/ed.key for ed._domainkey.exmaple.com:"
        " not published -> write example.com, if that was meant; else publish ed._domainkey.ex"
    )
    [said] = found(good._replace(text=text.replace("exmaple.com", "other.org")))
    assert "if that was meant" not in said
    both = text.replace("-d exmaple.com", "-d exmaple.com -d example.com")
    [said] = found(good._replace(text=both))
    assert "write example.com" not in said
    equal = f"ed._domainkey.exmaple.com TXT {ED}"
    assert found(good._replace(text=text, records=(equal,))) == []


SENDERS = """\
table users { alice = alice@example.com, bob = bob@mail.example.com, carl = "carl@example.org" }
listen on 0.0.0.0 port 587 tls-require pki a auth senders <users> filter "sign"
"""


def test_senders_whose_mail_is_signed_for_another_domain(good: Situation, folder: Path) -> None:
    strange = good._replace(text=good.text + SENDERS)
    assert found(strange) == [
        "1 warning dkim-sender-strange: mail from example.org is signed by filter sign for"
        " example.com -> name example.org, too (-d, or a line of the key table), or -u skip"
    ]
    for old, new in (
        ("-d example.com", "-u skip -d example.com"),
        ("-d example.com", "-A -d example.com"),
        ("carl@example.org", "carl@sub.example.com"),
        (' filter "sign"', ""),
    ):
        assert found(strange._replace(text=strange.text.replace(old, new))) == []
    chain = 'filter "all" chain { sign }\n'
    text = good.text + chain + SENDERS.replace('filter "sign"', "filter all")
    assert len(found(strange._replace(text=text))) == 1
    typo = strange.text.replace("-d example.com", "-d exmaple.org").replace("mail.example.com", "x")
    said = found(strange._replace(text=typo, dns=False))
    assert said == [
        "1 warning dkim-sender-strange: mail from example.com is signed by filter sign for"
        " exmaple.org -> name example.com, too (-d, or a line of the key table), or -u skip",
        "1 warning dkim-sender-strange: mail from example.org is signed by filter sign for"
        " exmaple.org -> write example.org for exmaple.org, if that was meant; else name it, too",
    ]


def test_a_key_that_is_left_over(good: Situation, folder: Path) -> None:
    left = folder / "example.com.2024.key"
    left.write_text(RSA_PEM)
    record = f"2024._domainkey.example.com TXT {RSA_PUBLIC.decode()}"
    known = good._replace(records=(*good.records, record))
    server = known.server()
    for path in (left, folder / "ed.key", known.path):
        os.utime(path, (OLD, OLD))
    assert server.dns is not None
    [finding] = server.dns(left_over(server))
    assert finding == (
        "warning",
        "dkim-key-left",
        str(left),
        0,
        "no filter signs with this key, and 2024._domainkey.example.com is published",
        "Who gets hold of the file can sign as this domain.",
        f"unpublish 2024._domainkey.example.com, and rm {left}",
    )
    os.utime(left)  # a key that is new may be meant for tomorrow
    assert server.dns(left_over(server)) == []
    os.utime(left, (OLD, OLD))
    os.utime(known.path)  # and mail may wait that was signed yesterday
    assert server.dns(left_over(server)) == []
