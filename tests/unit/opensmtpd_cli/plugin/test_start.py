"""The start of a plugin: its environment, descriptors, account and chroot."""

import ast
import os
import subprocess
from pathlib import Path

import pytest

from opensmtpd_cli.plugin.start import Account, Program, start
from unit.support import small_filters, small_tables
from unit.support.small_filters import ECHO, timeless
from unit.support.small_tables import EXITED, LINE

pytestmark = pytest.mark.usefixtures("libexec", "patient")


def test_the_program_gets_nothing_of_the_operators_environment(
    libexec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    log = tmp_path / "log"
    body = f"open({str(log)!r}, 'w').write(repr(dict(os.environ)))\n"
    small_tables.program(libexec, body)
    small_tables.run(LINE, "alias", "a")
    seen = ast.literal_eval(log.read_text())
    seen.pop("LC_CTYPE", None)  # Python's own (PEP 538)
    assert seen == {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def test_a_program_that_cannot_be_run(libexec: Path) -> None:
    (libexec / "table-x").write_text("text")
    assert small_tables.end(small_tables.run(LINE, "alias", "a")) == (
        3,
        [f"fatal: {libexec}/table-x cannot be run: Permission denied", EXITED],
    )


def test_the_program_sees_what_smtpd_gives_it(
    libexec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    small_filters.program(
        libexec,
        """
import stat
same = os.fstat(0).st_ino == os.fstat(1).st_ino
kinds = [stat.S_ISSOCK(os.fstat(n).st_mode) for n in range(3)]
told = [sys.argv[1:], os.getcwd(), same, kinds, os.getsid(0) == os.getpid(), "TOKEN" in os.environ]
open(os.path.dirname(sys.argv[0]) + "/log", "w").write(repr(told))
"""
        + ECHO,
    )
    assert small_filters.run("filter-x 'a b' $HOME$((1 + 1))").exit_code == 0
    log = ast.literal_eval((libexec / "log").read_text())
    assert log == [["a b", "2"], "/", True, [True, True, True], True, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_root_runs_it_as_somebody_else_and_shut_in(tmp_path: Path) -> None:
    jail = tmp_path / "jail"
    (jail / "bin").mkdir(parents=True)
    libraries = subprocess.run(
        ["ldd", "/bin/sh"], capture_output=True, text=True, check=True
    ).stdout.split()
    for name in ("/bin/sh", *(one for one in libraries if one.startswith("/"))):
        copy = jail / name[1:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(Path(name).read_bytes())
        copy.chmod(0o755)
    script = jail / "filter.sh"
    script.write_text("echo $PWD $(: < /etc/passwd) >&2\n")
    for one in (jail, *jail.rglob("*")):
        one.chmod(0o755)
    result = small_filters.run(
        f'filter j proc-exec "/bin/sh /filter.sh" user nobody group daemon chroot "{jail}"'
    )
    lines = timeless(result.stderr)
    assert lines[0] == f"# /bin/sh /filter.sh, user nobody, group daemon, chroot {jail}"
    assert lines[1].startswith("! /filter.sh: 1: cannot open /etc/passwd")
    result = small_filters.run(
        "filter j proc-exec \"/bin/sh -c 'id -u; id -g; id -G' >&2\" user nobody group daemon"
    )
    nobody, daemon = (
        subprocess.run(["id", flag, who], capture_output=True, text=True, check=True).stdout.strip()
        for flag, who in (("-u", "nobody"), ("-g", "daemon"))
    )
    assert timeless(result.stderr)[1:4] == [f"! {nobody}", f"! {daemon}", f"! {daemon}"]


def test_who_may_not_shut_it_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chroot(_: str) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chroot", chroot)
    who = Account(os.getuid(), os.getgid(), [])
    ours, theirs = os.pipe()
    try:
        with pytest.raises(OSError, match="it cannot be shut in") as error:
            start(Program("/bin/true", ["true"], who, str(tmp_path)), theirs, theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert error.value.strerror == f"it cannot be shut in {tmp_path}"
