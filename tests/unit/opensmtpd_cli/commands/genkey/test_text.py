"""The output of ``genkey``: the record, the line of smtpd.conf, and the next steps."""

from datetime import date
from pathlib import Path

import pytest

from opensmtpd_cli.commands.genkey import command
from unit.support.new_keys import genkey, published, rotate, state
from unit.support.swap import Program

pytestmark = pytest.mark.usefixtures("nobody_special")


def test_what_is_said_beside_it(run: Program, tmp_path: Path) -> None:
    key = tmp_path / "key"
    said = genkey(run, "--selector", "mail", "--key", key, "--algorithm", "ed25519")
    assert said.err == (
        f"wrote {key}: you alone can read it; the user of the filter must be able to, too\n"
        "Publish this record, in a zone file:\n"
        "or in a web form, its name (without .example.com if the form adds that) and its value:\n"
        'Add this line to smtpd.conf, above the listen lines, and put: filter "dkimsign"\n'
        "behind those of your own users. Restart smtpd when the DNS shows the record:\n"
        "This tells whether the DNS shows it:\n"
        f"opensmtpd-plugins testkey {key} --domain example.com --selector mail\n"
    )
    said = run("--quiet", "genkey", "--domain", "a.example", "--selector", "b",
               "--key", tmp_path / "other", "--algorithm", "ed25519")  # fmt: skip
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("b._domainkey.a.example. IN TXT ( ")


@pytest.mark.parametrize("name", ["it's", "a\\b", 'a"b', "a\nb", "a\x1bb"])
def test_a_path_that_smtpd_conf_cannot_hold(run: Program, tmp_path: Path, name: str) -> None:
    said = genkey(run, "--selector", "mail", "--key", tmp_path / name)
    assert said.status == 1
    assert said.err.endswith(": smtpd.conf has no way to name it; choose another with --key\n")
    assert len(said.err.splitlines()) == 1
    assert state(tmp_path) == {}


def test_what_is_said(run: Program, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "today", lambda: date(2026, 12, 30))
    said = rotate(run, table)
    zone, web = said.out.strip().split("\n\n")
    name, text = web.split("\n")
    assert name == "ed2._domainkey.example.com"
    assert published(zone) == {name: text.encode()}
    assert (
        said.err
        == f"""\
wrote {table.parent}/example.com.ed2.key: you alone can read it; the user of the filter must be \
able to, too
added line 3 to {table}: example.com ed2 example.com.ed2.key
Publish this record, in a zone file:
or in a web form, its name (without .example.com if the form adds that) and its value:
1. 2026-12-30, today: publish ed2._domainkey.example.com. The filter signs as before so far.
2. As soon as all name servers of the domain show it, which
   opensmtpd-plugins testkey {table}
   asks, have the filter read its table:
   pkill -HUP -u _dkimsign -f filter-dkimsign
   (no process of smtpd itself: each ends at SIGHUP), or restart smtpd. Then both sign.
3. From 2026-12-31 on, if the record's TTL is a day at most (else that much later), take
   line 2 (selector ed) out of {table},
   and have the filter read it again, as above.
4. From 2027-01-10 on, 10 days after that, unpublish ed._domainkey.example.com
   and remove its key file, if no other line names it. Until then, mail that it has
   signed may wait: 4 days in smtpd's queue, and 5 in that of a server on its way.
"""
    )
    quiet = run("--quiet", "genkey", "--domain", "example.com", "--rotate", table)
    assert (quiet.status, quiet.err) == (0, "")
    assert quiet.out.startswith("ed3._domainkey.example.com. IN TXT ( ")
