"""The lists that postgrey comes with, row by row: it spares the same clients and recipients."""

from pathlib import Path

from integration.support.greylist_lists import (
    SOMEBODY,
    alike,
    client,
    clients_of,
    postgrey_with,
    rows,
    spares,
)
from lab.peers.postgrey import CLIENTS, RECIPIENTS, PostgreyServer
from lab.support import ALONE, need_stage
from opensmtpd.mail.greylist.postgrey import ListedClients, ListedRecipients

pytestmark = ALONE
FORMS = """\
postmaster@
alice@example.com
Bob@Example.com
team+news@example.com
users.example
/^list-.*@lists\\.example$/   # an expression
@nobody.example
"""
"""Rows of all kinds that its page tells of."""
ADDRESSES = [
    f"{user}{extension}{domain}"
    for user in ("postmaster", "POSTMASTER", "alice", "bob", "team", "list-", "list-a", "", "x")
    for extension in ("", "+", "+news", "+news+x", "+x")
    for domain in ("@example.com", "@EXAMPLE.com", "@a.example.com", "@users.example",
                   "@mail.users.example", "@xusers.example", "@lists.example", "@nobody.example",
                   "@")
]  # fmt: skip


def test_clients() -> None:
    root = need_stage("7.6").root
    path = str(root / CLIENTS[1:])
    listed, all_rows = ListedClients([path]), rows(Path(path).read_text())
    assert len(all_rows) > 150
    with PostgreyServer(root) as server:
        for row in all_rows:
            made = clients_of(row)
            spared = {who: spares(server, who) for who in made}
            assert {who: client(who) in listed for who in made} == spared, row
            assert True in spared.values(), row
        assert not spares(server)


def test_recipients() -> None:
    root = need_stage("7.6").root
    path = str(root / RECIPIENTS[1:])
    listed, all_rows = ListedRecipients([path]), rows(Path(path).read_text())
    assert all_rows == ["postmaster@", "abuse@"]
    with PostgreyServer(root) as server:
        for row in all_rows:
            names = [name for name in alike(row) if "@" in name]
            made = [each for name in names for each in (name, f"{name}example.com")]
            made += [each.replace("@", "+x@") for each in made]
            spared = {who: spares(server, recipient=who) for who in made}
            assert {who: who.encode() in listed for who in made} == spared, row
            assert set(spared.values()) == {True, False}, row
        assert not spares(server, recipient=SOMEBODY)


def test_recipients_of_all_forms(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(FORMS)
    listed = ListedRecipients([str(path)])
    with postgrey_with("recipients", FORMS) as server:
        spared = {each: spares(server, recipient=each) for each in ADDRESSES}
    assert {each: each.encode() in listed for each in ADDRESSES} == spared
    assert set(spared.values()) == {True, False}
