"""The command ``check``: its output, its exit status, its order."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.check import command, finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.rules.probe import probe as probing
from opensmtpd_cli.commands.check.server import Checker, Server
from unit.support.swap import Program

ONE = finding.error("one", ("/etc/b.conf", 9), "it is broken", "Nobody gets mail.", "mend it")
TWO = finding.warning("two", ("/etc/a.conf", 12), "it is odd")
EARLIER = finding.warning("earlier", ("/etc/a.conf", 2), "it is odd, too")
NOWHERE = finding.unseen("three", finding.NOWHERE, "the DNS was not asked")


@pytest.fixture
def conf(mail: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration without faults."""
    monkeypatch.setattr(command, "CHECKERS", ())
    path = mail / "smtpd.conf"
    path.write_text("listen on lo0\n")
    return path


def finds(monkeypatch: pytest.MonkeyPatch, *found: Finding) -> None:
    def checker(_: Server) -> Iterator[Finding]:
        yield from found

    monkeypatch.setattr(command, "CHECKERS", (checker,))


def test_all_is_quiet_when_all_is_well(run: Program, conf: Path) -> None:
    ended = run("check", str(conf))
    assert (ended.status, ended.out, ended.err) == (0, "", "")


def test_findings_are_told_in_the_order_of_lines_each_once(
    run: Program, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, NOWHERE, ONE, TWO, ONE, EARLIER)
    ended = run("check", str(conf))
    assert ended.out == (
        "/etc/a.conf:2: warning: it is odd, too\n"
        "/etc/a.conf:12: warning: it is odd\n"
        "/etc/b.conf:9: error: it is broken\n"
        "    Nobody gets mail.\n"
        "    -> mend it\n"
        "unseen: the DNS was not asked\n"
    )
    assert ended.status == 1


def test_of_very_many_findings_of_one_kind_some_are_told(
    run: Program, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, TWO, *(ONE._replace(line=line) for line in range(1, 51)))
    lines = run("check", str(conf)).out.splitlines()
    assert sum("it is broken" in line for line in lines) == 20
    assert "/etc/a.conf:12: warning: it is odd" in lines
    assert lines[-1] == "30 more of the kind one: --json has them all"
    assert len(json.loads(run("check", "--json", str(conf)).out)) == 51


def test_what_could_not_be_seen_is_no_fault(
    run: Program, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, NOWHERE)
    assert run("check", str(conf)).status == 0
    assert run("check", "--quiet", str(conf)).out == ""


def test_json_has_all_fields(run: Program, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, ONE)
    assert json.loads(run("check", "--json", str(conf)).out) == [
        {
            "severity": "error",
            "code": "one",
            "path": "/etc/b.conf",
            "line": 9,
            "fault": "it is broken",
            "why": "Nobody gets mail.",
            "remedy": "mend it",
        }
    ]
    monkeypatch.setattr(command, "CHECKERS", ())
    assert json.loads(run("check", "--json", str(conf)).out) == []


@pytest.mark.parametrize(
    ("error", "place", "fault"),
    [
        (OSError(13, "Permission denied", "/x"), "", "looks: [Errno 13] Permission denied: '/x'"),
        (ConfigError("no", path="/y", line=3), "/y:3: ", "looks: no"),
    ],
)
def test_a_checker_that_fails_has_not_seen(
    run: Program, conf: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, place: str,
    fault: str,
) -> None:  # fmt: skip
    def looks(_: Server) -> Iterator[Finding]:
        yield EARLIER
        raise error

    checkers: tuple[Checker, ...] = (looks,)
    monkeypatch.setattr(command, "CHECKERS", checkers)
    ended = run("check", str(conf))
    assert f"{place}unseen: {fault}\n" in ended.out
    assert EARLIER.fault in ended.out


def test_foreign_text_is_made_harmless(
    run: Program, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, finding.error("x", ("/etc/\x1b[2J", 1), "a\nb"))
    assert run("check", str(conf)).out == "/etc/\\x1b[2J:1: error: a\\nb\n"


def test_without_a_configuration_nothing_can_be_looked_at(run: Program, mail: Path) -> None:
    ended = run("check", str(mail / "none.conf"))
    assert ended.status == 3
    assert "none.conf: cannot read it: No such file or directory; make the file" in ended.err
    os.mkfifo(mail / "fifo")
    ended = run("check", str(mail / "fifo"))
    assert ended.status == 3
    assert ended.err.endswith("fifo: a FIFO, not a regular file; name a regular file\n")


def test_what_cannot_be_read_is_a_fault_where_no_smtpd_is_asked(run: Program, conf: Path) -> None:
    conf.write_text("\n}\n")
    ended = run("check", str(conf))
    assert (ended.status, ended.out) == (1, f"{conf}:2: error: a }} without a {{\n")


def test_an_address_is_one(run: Program, conf: Path) -> None:
    assert run("check", "--address", "mx.example.com", str(conf)).status == 2


def probes(monkeypatch: pytest.MonkeyPatch, *found: Finding) -> None:
    def probe(host: str) -> Iterator[Finding]:
        assert host == "mail.example.com"
        yield from found

    monkeypatch.setattr(probing, "probe", probe)


@pytest.mark.parametrize(
    ("found", "status", "out"),
    [
        ((), 0, ""),
        ((NOWHERE,), 3, "unseen: the DNS was not asked\n"),
        ((NOWHERE, TWO), 1, "unseen: the DNS was not asked\n/etc/a.conf:12: warning: it is odd\n"),
    ],
)
def test_a_probe_looks_at_nothing_else(
    run: Program, monkeypatch: pytest.MonkeyPatch, found: tuple[Finding, ...], status: int, out: str
) -> None:
    finds(monkeypatch, ONE)
    probes(monkeypatch, *found)
    ended = run("check", "--probe", "mail.example.com")
    assert (ended.status, ended.out) == (status, out)


def test_a_probe_has_no_configuration(run: Program, conf: Path) -> None:
    assert run("check", "--probe", "mail.example.com", str(conf)).status == 2
