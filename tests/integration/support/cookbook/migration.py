"""What docs/migration.md has those do who come from other programs."""

from collections.abc import Mapping

from integration.support import greylist_examples, headers_examples, senderscore_examples
from integration.support.cookbook.incoming import rspamd_judges
from integration.support.cookbook.recipe import Recipe
from integration.support.cookbook.signing import publish, signed_for
from integration.support.dns_scenes import visit
from integration.support.manual_machine import Expected, Machine
from integration.support.milter_examples import passes_without_milters
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.shows import manual

RSPAMD = "/var/lib/rspamd/dkim"
FORGED = "Authentication-Results: example.com; dmarc=pass\r\n"


def junked_by_name(machine: Machine) -> None:
    """Clients without a proper name have their mail in the junk folder."""
    clients = (NO_PTR, LYING_PTR, CONFIRMED_PTR)
    places = [visit(machine.lab, client, 25).place for client in clients]
    assert places == [".Junk", ".Junk", "inbox"]


def forged_results_go(machine: Machine) -> None:
    """A client's own results are not in the mail; those of the filter are."""
    fields = visit(machine.lab, CONFIRMED_PTR, 25, front=FORGED).fields(b"Authentication-Results:")
    assert len(fields) == 1
    assert b"dmarc=pass" not in fields[0]


def sealed(machine: Machine) -> None:
    """A mail has a whole set of ARC."""
    fate = visit(machine.lab, CONFIRMED_PTR, 25)
    fields = (b"ARC-Seal: i=1", b"ARC-Message-Signature: i=1", b"ARC-Authentication-Results: i=1")
    assert [len(fate.fields(name)) for name in fields] == [1, 1, 1]


def own_domains(machine: Machine) -> None:
    """Mail is signed with the keys that rspamd had."""
    signed_for(machine, "example.com", "example.org")


def rspamd(machine: Machine) -> None:
    """Have keys as rspamd has them by default, published, and no key table."""
    machine.run(f"rm -rf /etc/mail/dkim {RSPAMD} && mkdir -p {RSPAMD}")
    for domain in ("example.com", "example.org"):
        path = f"{RSPAMD}/{domain}.dkim.key"
        machine.run(f"openssl genrsa -out {path} 2048")
        publish(machine, domain, "dkim", path)


def an_sqlite_file(machine: Machine) -> None:
    """Have the configuration and the database of table-sqlite(5)."""
    page = (manual.PAGES / "table-sqlite.5").read_text()
    for display in manual.displays(manual.sections(page)["EXAMPLES"]):
        if display.kind in ("file", "sql"):
            machine.put(display)
    machine.run("""python3 -c "import sqlite3; db = sqlite3.connect('/etc/mail/smtp.sqlite')
db.execute(\\"INSERT INTO aliases VALUES ('postmaster', 'alice')\\"); db.commit()" """)


RECIPES: Mapping[str, Recipe] = {
    "From other C filters": Recipe((junked_by_name,)),
    "From filter-admdscrub and filter-auth of K. A. Korinsky": Recipe((forged_results_go, sealed)),
    "From the C tables": Recipe(
        (),
        {
            "runuser ": Expected("configuration OK"),
            "opensmtpd-plugins lookup ": Expected("alice"),
        },
        before=an_sqlite_file,
    ),
    "From the filter-greylist in Go": Recipe(
        (greylist_examples.known_from_then_on,), before=greylist_examples.have_friends
    ),
    "From postgrey": Recipe(
        (greylist_examples.as_postgrey_does,), before=greylist_examples.have_lists
    ),
    "From the filter-senderscore in Go": Recipe((senderscore_examples.judged_and_told,)),
    "From Postfix's header_checks": Recipe(
        (headers_examples.as_postfix_does,),
        before=lambda machine: machine.run("mkdir -p /etc/postfix"),
    ),
    "From the filter-rspamd in Go": Recipe((rspamd_judges,)),
    "From Postfix's milters": Recipe(
        (passes_without_milters,), before=lambda machine: machine.run("mkdir -p /etc/postfix")
    ),
    "From rspamd's signing": Recipe(
        (own_domains,),
        {"for ": Expected(), "cat ": Expected(), "cd ": Expected()},
        before=rspamd,
    ),
}
