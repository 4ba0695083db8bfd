"""The check of ``-n`` as the user as whom smtpd.conf has the program run."""

import grp
import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opensmtpd._runtime import smtpd_user
from opensmtpd._runtime.smtpd_user import RunLine, check_as_users
from opensmtpd.errors import ConfigError, LocalError
from unit.support.child import MAIN, Child
from unit.support.handlers import explode

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
OTHER = "nobody"
GROUP = grp.getgrgid(pwd.getpwnam(OTHER).pw_gid).gr_name


def lines(text: str, program: str = "filter-x", *argv: str) -> list[RunLine]:
    return list(smtpd_user._lines(text, program, list(argv)))


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return what writes smtpd.conf."""
    path = tmp_path / "smtpd.conf"
    monkeypatch.setattr(smtpd_user, "CONFS", ("/nonexistent", str(path)))
    monkeypatch.setattr(smtpd_user, "OWN", ("no-such-user", OTHER))

    def write(text: str) -> Path:
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('filter x proc-exec "filter-x" user u', [(1, "filter-x", "u", "")]),
        ('filter "x" proc-exec "/a/filter-x -k \\"y z\\"" user "u" group g\n',
            [(1, '/a/filter-x -k "y z"', "u", "g")]),
        ('# a\nproc x "filter-x -a" group g user u', [(2, "filter-x -a", "u", "g")]),
        ('\n filter x \\\n  proc-exec \\\n "filter-x" \\\n user u\n', [(2, "filter-x", "u", "")]),
        ('filter x proc-exec "filter-x"', [(1, "filter-x", OTHER, "")]),
        ('filter x proc-exec "filter-x" user u # group g', [(1, "filter-x", "u", "")]),
        ('filter x proc-exec "filter-x" user u chroot /var/empty', []),
        ('filter x proc-exec "filter-xy" user u', []),
        ('filter x proc-exec "other filter-x" user u', []),
        ('# filter x proc-exec "filter-x" user u', []),
        ('filter x phase connect match !rdns junk', []),
        ('filter x chain { a, b }', []),
        ('filter x proc-exec "filter-x', []),
        ("filter", []),
        ("", []),
    ],
)  # fmt: skip
def test_lines_of_filters(
    conf: Callable[[str], Path], text: str, found: list[tuple[int, str, str, str]]
) -> None:
    assert lines(text) == [RunLine(*each) for each in found]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("table t sqlite:/etc/t.conf", 1),
        ('table "t" "sqlite:/etc/t.conf"', 1),
        ("table t sqlite:/etc/other.conf", 0),
        ("table t file:/etc/t.conf", 0),
        ("table t { a, b }", 0),
    ],
)
def test_lines_of_tables(conf: Callable[[str], Path], text: str, count: int) -> None:
    line = RunLine(2, "table-sqlite /etc/t.conf", OTHER, "")
    assert lines(f"\n{text}\n", "table-sqlite", "-n", "/etc/t.conf") == [line] * count


def test_without_a_user_of_smtpds_own(
    conf: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtpd_user, "OWN", ())
    assert lines('filter x proc-exec "filter-x"\ntable t x:/y', "table-x", "/y") == []


@ROOT
def test_the_check_is_made_as_that_user(conf: Callable[[str], Path], tmp_path: Path) -> None:
    made: list[int] = []

    def check() -> None:
        made.append(os.getuid())
        groups = {os.getgid(), os.getegid(), *os.getgroups()}
        user = pwd.getpwnam(OTHER)
        if (os.getuid(), os.geteuid(), groups) != (user.pw_uid, user.pw_uid, {user.pw_gid}):
            raise LocalError(f"{os.getuid()} {os.geteuid()} {groups}")

    conf(f'filter x proc-exec "filter-x" user {OTHER}\n')
    assert check_as_users("filter-x", ["-n"], check) == [OTHER]
    assert made == []  # in another process


@ROOT
@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (lambda: os.listdir("/root"), "PermissionError"),
        (lambda: explode(ConfigError("bad", path="/k", remedy="mend")), "/k: bad; mend"),
        (lambda: explode(ValueError("secret")), "ValueError"),
        (os.abort, "it does not end well"),
    ],
)  # fmt: skip
def test_what_that_user_cannot_do(
    conf: Callable[[str], Path], act: Callable[[], object], fault: str
) -> None:
    path = conf(f'\nfilter x proc-exec "filter-x" user {OTHER}\n')
    with pytest.raises(ConfigError) as caught:
        check_as_users("filter-x", ["-n"], act)
    assert str(caught.value) == f"{path}:2: as user {OTHER}: {fault}"


@ROOT
@pytest.mark.parametrize(
    ("who", "fault"),
    [
        ("user no-such", "as user no-such: there is no such user: smtpd would not start"),
        (f"user {OTHER} group no-such",
            f"as user {OTHER}: there is no group no-such: smtpd would not start"),
    ],
)  # fmt: skip
def test_a_user_that_there_is_not(conf: Callable[[str], Path], who: str, fault: str) -> None:
    path = conf(f'filter x proc-exec "filter-x" {who}\n')
    with pytest.raises(ConfigError) as caught:
        check_as_users("filter-x", ["-n"], lambda: None)
    assert str(caught.value) == f"{path}:1: {fault}"


@ROOT
def test_of_several_lines_those_with_the_same_arguments_count(conf: Callable[[str], Path]) -> None:
    conf(
        'filter a proc-exec "filter-x -d a" user no-such\n'
        f'filter b proc-exec "filter-x -d \\"b c\\"" user {OTHER}\n'
    )
    assert check_as_users("filter-x", ["-n", "-d", "b c"], lambda: None) == [OTHER]
    with pytest.raises(ConfigError):
        check_as_users("filter-x", ["-n", "-d", "other"], lambda: None)


def test_without_smtpd_conf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(smtpd_user, "CONFS", ("/nonexistent",))
    assert check_as_users("filter-x", ["-n"], lambda: None) == []
    monkeypatch.setattr(smtpd_user, "CONFS", (str(tmp_path),))  # a directory
    assert check_as_users("filter-x", ["-n"], lambda: None) == []


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a folder that others can enter; those of pytest are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


SOURCE = """
from opensmtpd._runtime import smtpd_user
smtpd_user.CONFS = [{conf!r}]
from opensmtpd.files import reading
class Some(Filter):
    def __init__(self):
        log("made")
        with reading({key!r}):
            pass
"""


@ROOT
@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_the_program(tmp_path: Path, public: Path, mode: int) -> None:
    key, conf = public / "key", public / "smtpd.conf"
    key.touch(mode)
    conf.write_text(f'filter x proc-exec "filter-x" user {OTHER}\n')
    source = SOURCE.format(conf=str(conf), key=str(key))
    with Child(tmp_path, source, "-n", main=MAIN) as child:
        status, out, said = child.wait()
    if mode == 0o644:
        expected = f"filter-x: configuration OK, read as root and {OTHER}\n".encode()
        assert (status, out, said) == (0, expected, "made\n")
    else:
        fault = (
            f"as user {OTHER}: {key}: cannot read it: Permission denied; let user {OTHER} read it"
        )
        assert (status, out, said) == (1, b"", f"made\nfilter-x: {conf}:1: {fault}\n")
