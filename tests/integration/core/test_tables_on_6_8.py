"""Tables on smtpd 6.8, which asks them in a binary protocol: it must not wait for ever."""

import subprocess

import pytest

from lab.root.inside import CHROOT
from lab.support import ALONE, need_stage

pytestmark = ALONE
CONF = """\
table aliases {kind}:/etc/mail/rows
listen on lo0
action "maildir" maildir alias <aliases>
match for domain "example.com" action "maildir"
"""
ROWS = {
    "flat": "alice: root\n",
    "passwd": "alice:x:1000:1000:A:/home/alice:/bin/sh\n",
    "sqlite": "dbpath /nonexistent\nquery_alias SELECT v FROM a WHERE k = ?\n",
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_table_says_so_and_smtpd_ends(kind: str) -> None:
    view = need_stage("6.8").guide(f"6.8-{kind}").view
    (view / "etc/mail/rows").write_text(ROWS[kind])
    (view / "etc/mail/tables.conf").write_text(CONF.format(kind=kind))
    ended = subprocess.run(
        [CHROOT, view, "/usr/sbin/smtpd", "-d", "-f", "/etc/mail/tables.conf"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False, env={},
    )  # fmt: skip
    said = (ended.stdout + ended.stderr).decode()
    assert f"table-{kind}: smtpd speaks another table protocol; tables need smtpd 7.6" in said
    assert "table-proc: exiting" in said
