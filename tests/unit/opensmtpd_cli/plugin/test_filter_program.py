"""The programs behind filter lines, and how smtpd starts them."""

import os
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.plugin import filter_program
from opensmtpd_cli.plugin.filter_program import find
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from opensmtpd_cli.system import libexec
from unit.support import small_filters


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("filter-x -a", "{}/filter-x -a"),
        ("'filter-x' \"a", "{}/'filter-x' \"a"),
        ("/bin/x y", "/bin/x y"),
    ],
)
def test_what_the_shell_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, wanted: str
) -> None:
    monkeypatch.setattr(libexec, "LIBEXEC", (str(tmp_path),))
    for name in ("filter-x", "'filter-x'"):
        (tmp_path / name).touch()
    line = FilterEntry("x", command)
    assert find(line) == wanted.format(tmp_path)
    program = filter_program.program(line, find(line))
    assert (program.path, program.argv) == ("/bin/sh", ["/bin/sh", "-c", f"exec {find(line)}"])


def test_commands_that_are_too_long() -> None:
    assert find(FilterEntry("x", "/" + "x" * 4089))
    with pytest.raises(ConfigError, match=r"^the command is too long for smtpd: 4095 bytes"):
        find(FilterEntry("x", "/" + "x" * 4090))


def test_a_program_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libexec, "LIBEXEC", (str(tmp_path),))
    place = f"smtpd wants it in its own directory, as {tmp_path}"
    for command in ("nosuch", "nosuch -x", "filter-nosuch"):
        with pytest.raises(ConfigError) as error:
            find(FilterEntry("x", command))
        assert str(error.value) == f"there is no program {command.split()[0]}; {place}"


def test_a_program_in_a_chroot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libexec, "LIBEXEC", ("/libexec",))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "libexec").mkdir()
    line = FilterEntry("x", "filter-x", chroot=str(tmp_path))
    with pytest.raises(ConfigError) as error:
        find(line)
    assert str(error.value) == (
        f"there is no program filter-x; smtpd wants it in its own directory, as {tmp_path}/libexec"
    )
    (tmp_path / "libexec/filter-x").touch()
    assert find(line) == "/libexec/filter-x"


def test_who_is_not_root_stays_who_he_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    line = FilterEntry("x", "/f", "nosuch", "nosuch", "/nosuch")
    program = filter_program.program(line, "/f")
    assert (program.account, program.chroot) == (None, None)
    assert filter_program.described(line, "/f") == (
        "/f, as who you are: only root can have user nosuch, group nosuch, chroot /nosuch"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_people_who_are_not_there(libexec: Path) -> None:
    small_filters.program(libexec, small_filters.ECHO)
    for text, reason in (
        ("user nosuch", "there is no user nosuch: smtpd would not start"),
        ("group nosuch", "there is no group nosuch: smtpd would not start"),
        ("chroot '/no such'", "/no such is no directory: smtpd cannot chroot there"),
    ):
        result = small_filters.run(f"filter x proc-exec filter-x {text}")
        assert (result.exit_code, result.stderr) == (3, f"x: {reason}\n")
