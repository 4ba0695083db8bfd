"""``opensmtpd-plugins check`` as root: mistakes in the lines of filters and tables."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.root import inside
from lab.root.plugin import LIBEXEC, ORIGINAL
from lab.shows.guide import CONF
from lab.support import ALONE, need_stage

pytestmark = ALONE

GUIDE = CONF.read_text()
KEY = "/etc/mail/dkim/private.key"
TABLE = "table things sqlite:/etc/mail/things.conf\n"
QUERY = "query_alias SELECT destination FROM aliases WHERE name = ?\n"
HANGS = "#!/bin/sh\nexec sleep 1000\n"
ENDS = "#!/bin/sh\necho 'no licence' >&2\nexit 3\n"


@pytest.fixture(scope="module")
def view() -> Path:
    """The guide's server, which does not run, with a database besides."""
    view = need_stage("7.6").guide("check programs").view
    (view / "etc/mail/things.conf").write_text(f"dbpath /etc/mail/things.db\n{QUERY}")
    code = "import sqlite3; sqlite3.connect('/etc/mail/things.db').execute('{}')".format(
        "create table aliases (name, destination)"
    )
    inside.done(view, "python3", "-c", code)
    for name in ("things.conf", "things.db"):
        inside.done(view, "chown", "root:opensmtpd", f"/etc/mail/{name}")
        (view / "etc/mail" / name).chmod(0o640)
    for name, text in (("filter-hangs", HANGS), ("filter-ends", ENDS)):
        (view / LIBEXEC / name).write_text(text)
        (view / LIBEXEC / name).chmod(0o755)
    return view


class Said(NamedTuple):
    """A finding, and the status of the command."""

    code: str
    line: str
    """The text of the line that it names."""
    fault: str
    remedy: str


def check(view: Path, conf: str, *options: str) -> list[Said]:
    """Check a configuration; the checkers of programs are meant here, not those of the DNS."""
    (view / "etc/mail/smtpd.conf").write_text(conf)
    command = ("opensmtpd-plugins", "check", "--json", "--no-dns", "--timeout", "60", *options)
    done = inside.tried(view, *command, "/etc/mail/smtpd.conf")
    assert done.stdout, done.stderr.decode()
    found = json.loads(done.stdout)
    wrong = [each for each in found if each["severity"] != "unseen"]
    assert (done.returncode, done.stderr) == (1 if wrong else 0, b"")
    return [
        Said(each["code"], _line(view, each["path"], each["line"]), each["fault"], each["remedy"])
        for each in wrong
    ]


def _line(view: Path, path: str, line: int) -> str:
    return (view / path[1:]).read_text().splitlines()[line - 1] if line else ""


def test_the_guide_is_good(view: Path) -> None:
    assert check(view, GUIDE) == []
    assert check(view, TABLE + GUIDE.replace("alias <aliases>", "alias <things>")) == []


DKIMSIGN = next(line for line in GUIDE.splitlines() if "proc-exec" in line)


class Mistake(NamedTuple):
    """A mistake in the line of the filter, and what has to be said of it."""

    old: str
    new: str
    code: str
    fault: str
    remedy: str


@pytest.mark.parametrize(
    "mistake",
    [
        Mistake(
            KEY,
            "/etc/mail/dkim/privat.key",
            "filter-refuses",
            "/etc/mail/dkim/privat.key: cannot read it: No such file or directory",
            f"did you mean {KEY}?",
        ),
        Mistake(
            "-d example.com",
            "--domian example.com",
            "filter-refuses",
            "there is no option --domian",
            "did you mean --domain?",
        ),
        Mistake(
            " user _dkimsign group _dkimsign",
            "",
            "file-unreadable",
            f"runs as user opensmtpd, which cannot read {KEY}: it may not enter /etc/mail/dkim",
            "write user _dkimsign",
        ),
        Mistake(
            "user _dkimsign",
            "user dkimsign",
            "filter-user-missing",
            "runs as user dkimsign, who does not exist",
            "write user _dkimsign",
        ),
        Mistake(
            "filter-dkimsign",
            "filter-dkimsing",
            "filter-program-missing",
            f"no program filter-dkimsing in /{LIBEXEC}",
            "correct its name",
        ),
        Mistake(
            '"filter-dkimsign -d example.com -s mail -k /etc/mail/dkim/private.key"',
            '"filter-hangs"',
            "filter-hangs",
            "does not answer within 2 s",
            "remove the line",
        ),
        Mistake(
            '"filter-dkimsign -d example.com -s mail -k /etc/mail/dkim/private.key"',
            '"filter-ends"',
            "filter-ends",
            "the filter exited with status 3; it says: no licence",
            "remove the line",
        ),
    ],
    ids=lambda mistake: mistake.new or "no user",
)
def test_a_mistake_in_the_line_of_a_filter(view: Path, mistake: Mistake) -> None:
    hangs = ("--timeout", "2") if mistake.code == "filter-hangs" else ()
    (found,) = check(view, GUIDE.replace(mistake.old, mistake.new), *hangs)
    assert (found.code, found.line) == (mistake.code, DKIMSIGN.replace(mistake.old, mistake.new))
    assert mistake.fault in found.fault
    assert mistake.remedy in found.remedy


def test_the_program_in_c_shakes_hands(view: Path) -> None:
    program = f"filter-dkimsign{ORIGINAL}"
    assert check(view, GUIDE.replace('"filter-dkimsign ', f'"{program} ')) == []
    (found,) = check(view, GUIDE.replace('"filter-dkimsign ', f'"{program} -y '))
    assert found.code == "filter-ends"


def test_a_mistake_behind_a_recorder(view: Path) -> None:
    inside.done(view, "install", "-d", "-o", "_dkimsign", "-m", "0700", "/var/log/dkimsign")
    recorder = "filter-record /var/log/dkimsign/c --"
    recorded = GUIDE.replace('"filter-dkimsign ', f'"{recorder} filter-dkimsign ')
    assert check(view, recorded) == []
    (found,) = check(view, recorded.replace("/c --", "/c --no-such --"))
    assert (found.code, found.line[:17]) == ("filter-refuses", 'filter "dkimsign"')
    (found,) = check(view, recorded.replace("private.key", "privat.key"))
    assert (found.code, found.line[:17]) == ("filter-refuses", 'filter "dkimsign"')
    assert KEY in found.remedy
    assert not list((view / "var/log/dkimsign").iterdir())


def test_a_filter_that_is_not_there_is_smtpds_own_complaint(view: Path) -> None:
    conf = GUIDE.replace('listen on lo0 filter "dkimsign"', 'listen on lo0 filter "dkim"')
    (found,) = check(view, conf)
    assert (found.code, found.line) == ("conf-syntax", 'listen on lo0 filter "dkim"')
    assert "no filter exist with that name" in found.fault


def test_nothing_is_started_with_no_start(view: Path) -> None:
    assert check(view, GUIDE.replace("-d example.com", "--domian x"), "--no-start") == []
    (found,) = check(view, GUIDE.replace("user _dkimsign", "user nobody"), "--no-start")
    assert found.code == "file-unreadable"


@pytest.mark.parametrize(
    ("mode", "path", "code", "remedy"),
    [
        (0o777, "etc/mail/dkim", "secret-writable", "chmod go-w /etc/mail/dkim"),
        (0o666, "etc/mail/dkim/private.key", "", ""),
        (0o000, "etc/mail/dkim/private.key", "file-unreadable", f"chgrp _dkimsign {KEY}"),
    ],
)
def test_who_may_do_what_with_the_key(
    view: Path, mode: int, path: str, code: str, remedy: str
) -> None:
    before = (view / path).stat().st_mode
    (view / path).chmod(mode)
    try:
        found = check(view, GUIDE)
    finally:
        (view / path).chmod(before)
    assert [each.code for each in found] == [code] * bool(code)
    assert all(remedy in each.remedy for each in found)


@pytest.mark.parametrize(
    ("conf", "fault", "remedy"),
    [
        ("query_alias SELECT val FROM aliases WHERE name = ?", "no such column: val", ""),
        ("query_aliases SELECT 1 FROM aliases WHERE name = ?", "query_aliases", "query_alias?"),
        ("query_alias SELECT destination FROM aliases", "", "?"),
    ],
)
def test_a_mistake_in_a_query(view: Path, conf: str, fault: str, remedy: str) -> None:
    path = view / "etc/mail/things.conf"
    good = path.read_text()
    path.write_text(good.splitlines()[0] + f"\n{conf}\n")
    try:
        found = check(view, TABLE + GUIDE)
    finally:
        path.write_text(good)
    (there,) = [each for each in found if each.line == conf]
    assert fault in there.fault
    assert remedy in there.remedy


@pytest.mark.parametrize("mode", [0o000, None])
def test_a_database_that_cannot_be_read(view: Path, mode: int | None) -> None:
    path = view / "etc/mail/things.db"
    if mode is None:
        path.rename(path.with_suffix(".away"))
    else:
        path.chmod(mode)
    try:
        (found,) = check(view, TABLE + GUIDE)
    finally:
        if mode is None:
            path.with_suffix(".away").rename(path)
        path.chmod(0o640)
    assert "things.db" in found.fault + found.line
    assert found.code in ("file-unreadable", "table-refuses")


def test_who_is_not_root_is_told_what_was_not_seen(view: Path) -> None:
    conf = view / "etc/mail/smtpd.conf"
    conf.write_text(GUIDE.replace("user _dkimsign", "user dkimsign"))
    conf.chmod(0o644)
    ask = "opensmtpd-plugins check --no-dns --json /etc/mail/smtpd.conf"
    done = inside.tried(view, "su", "-s", "/bin/sh", "alice", "-c", ask)
    found = json.loads(done.stdout)
    wrong = [each["code"] for each in found if each["severity"] != "unseen"]
    assert (done.returncode, wrong) == (1, ["filter-user-missing"])
    conf.write_text(GUIDE)
    done = inside.tried(view, "su", "-s", "/bin/sh", "alice", "-c", ask)
    unseen = {each["code"] for each in json.loads(done.stdout)}
    assert (done.returncode, "not-root" in unseen) == (0, True)


def test_nothing_is_left_behind(view: Path) -> None:
    def everything() -> dict[str, tuple[int, int, int]]:
        found = {}
        for top in ("etc", "var/lib", "var/spool"):
            for path in (view / top).rglob("*"):
                about = path.lstat()
                found[str(path)] = (about.st_mode, about.st_mtime_ns, about.st_size)
        return found

    conf = TABLE + GUIDE.replace("alias <aliases>", "alias <things>")
    check(view, conf)
    before = everything()
    check(view, conf)
    (conf_path,) = [path for path in before if path.endswith("etc/mail/smtpd.conf")]
    after = everything()
    del before[conf_path], after[conf_path]  # which the test has written
    assert after == before


def test_tables_of_todays_protocol_on_smtpd_6_8() -> None:
    view = need_stage("6.8").guide("check old").view
    (view / "etc/mail/things").write_text("a: b\n")
    conf = "table things flat:/etc/mail/things\n" + GUIDE
    found = check(view, conf)
    assert [each.code for each in found] == ["table-smtpd-old"]
    assert "it would wait for them for ever" in found[0].fault
