"""New rules at SIGHUP, rules that cannot be used, and files that are gone."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.checks import logged
from integration.support.headers_scenes import FOLDER, RULES, Fate, connect, prepare, visit, written
from lab.peers import mail
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "headers", prepare)], indirect=True, ids=str
)
PATH = f"{FOLDER}/reloaded"
KEPT = 'kept="the old configuration"'
ONE, TWO = written(b"X-Case: one"), written(b"X-Case: two")
RULES_TWO = 'reject * /two/ "5.7.1 two"\n'


@pytest.fixture
def rules(lab: Lab) -> Iterator[Path]:
    """The file of rules, which is as it was at the end."""
    path = lab.guide.view / PATH[1:]
    yield path
    if path.is_dir():
        path.rmdir()
    path.write_text(RULES["reloaded"])
    path.chmod(0o644)
    hang_up(lab, "reloaded")


def hang_up(lab: Lab, event: str) -> None:
    """Send SIGHUP to the filters, and wait until each has logged what came of it."""
    pids = [pid for pid in lab.server.filters("filter-headers") if served(pid) == PATH]
    assert len(pids) == 1
    before = lab.log.count(f" {event}")
    os.kill(pids[0], signal.SIGHUP)
    logged(lab, event, before)


def served(pid: int) -> str:
    """Return the file that a filter reads."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")[-1].decode()


def test_new_rules(lab: Lab, rules: Path) -> None:
    assert visit(lab, "reloaded", ONE) == Fate("550 5.7.1 one")
    rules.write_text(RULES_TWO)
    assert visit(lab, "reloaded", ONE) == Fate("550 5.7.1 one")
    hang_up(lab, "reloaded")
    assert visit(lab, "reloaded", ONE).place == "inbox"
    assert visit(lab, "reloaded", TWO) == Fate("550 5.7.1 two")


def test_a_file_in_the_place_of_the_old(lab: Lab, rules: Path) -> None:
    """As editors write it: the sandbox lets the filter read that, too."""
    new = rules.with_name("new")
    new.write_text(RULES_TWO)
    new.rename(rules)
    hang_up(lab, "reloaded")
    assert visit(lab, "reloaded", TWO) == Fate("550 5.7.1 two")


BAD = {
    "rejct * /two/\n": ":1: 'rejct' is no action: did you mean reject?; see RULES in filter-head",
    f"{RULES_TWO}reject * /(/\n": ":2: a group without its end; see RULES in filter-headers(8)",
    "": ": there is no rule; write one, or no filter-headers",
}


@pytest.mark.parametrize(("text", "reason"), BAD.items())
def test_bad_rules(lab: Lab, rules: Path, text: str, reason: str) -> None:
    before = len(lab.log)
    rules.write_text(text)
    hang_up(lab, "reload-failed")
    assert f'reload-failed reason="{PATH}{reason}' in lab.log[before:]
    assert KEPT in lab.log[before:]
    assert visit(lab, "reloaded", ONE) == Fate("550 5.7.1 one")


def test_no_file(lab: Lab, rules: Path) -> None:
    rules.unlink()
    hang_up(lab, "reload-failed")
    rules.mkdir()
    hang_up(lab, "reload-failed")
    assert visit(lab, "reloaded", ONE) == Fate("550 5.7.1 one")


def test_a_reload_in_the_middle_of_a_message(lab: Lab, rules: Path) -> None:
    """It has the rules of its begin: which these are is smtpd's business, for it may be ahead."""
    with connect("reloaded") as client:
        client.mail(STRANGER)
        client.rcpt(LOCAL)
        assert client.docmd("DATA")[0] == 354
        client.send(b"X-Case: one\r\nX-Case: two\r\n")
        rules.write_text(RULES_TWO)
        hang_up(lab, "reloaded")
        client.send(b"\r\nhello\r\n.\r\n")
        assert client.getreply() in ((550, b"5.7.1 one"), (550, b"5.7.1 two"))
        client.rset()
        assert mail.send(client, STRANGER, LOCAL, TWO) == (550, b"5.7.1 two")
