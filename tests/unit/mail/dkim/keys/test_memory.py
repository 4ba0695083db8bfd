"""Private keys in memory: no core file has them, and no other process of the user."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from unit.support.dkim_key_files import RSA, key_file, pem

_CAPBSET_DROP, _SYS_PTRACE = 24, 19
"""PR_CAPBSET_DROP of prctl(2), and CAP_SYS_PTRACE of capabilities(7)."""
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

NOTHING = "pass"
LOADS = "from opensmtpd.mail.dkim.keys.load import load; load(sys.argv[1])"
READS_TABLE = (
    "from opensmtpd.mail.dkim.keys.named_keys import key_table; key_table(sys.argv[1] + '.table')"
)
MAKES_RSA = "from opensmtpd.mail.dkim.keys.generate import rsa; rsa(1024)"
MAKES_ED25519 = "from opensmtpd.mail.dkim.keys.generate import ed25519; ed25519()"
GUARDED = [LOADS, READS_TABLE, MAKES_RSA, MAKES_ED25519]

LIKE_ANY_USER = f"""
import ctypes, os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
limit = hard if os.geteuid() else resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
ctypes.CDLL(None).prctl({_CAPBSET_DROP}, {_SYS_PTRACE}, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""
"""Lets a process write core files, and root's one look into no others than a user's may."""
LOOK = "import sys; open(f'/proc/{sys.argv[1]}/mem', 'rb').close()"
"""A process that opens the memory of another one."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a key and a table."""
    path = key_file(tmp_path, pem(RSA))
    Path(path + ".table").write_text("a.example mail private.key\n")
    return tmp_path


@contextmanager
def process(folder: Path, code: str, end: str = "input()") -> Iterator[subprocess.Popen[bytes]]:
    """Run code in a process, which then waits for a line."""
    text = f"import os, sys; {code}; print('ready', flush=True); {end}"
    child = subprocess.Popen(
        [sys.executable, "-c", LIKE_ANY_USER, text, str(folder / "private.key")],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            assert stream is not None
            stream.close()


def core_limit(child: subprocess.Popen[bytes]) -> list[str]:
    """Return the two limits of core files, as /proc shows them."""
    limits = Path(f"/proc/{child.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    return line.split()[4:6]


def may_look(child: subprocess.Popen[bytes]) -> bool:
    """Tell whether another process of the same user may open its memory."""
    command = [sys.executable, "-c", LIKE_ANY_USER, LOOK, str(child.pid)]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert not done.returncode or b"PermissionError" in done.stderr
    return done.returncode == 0


@LINUX
@pytest.mark.parametrize("code", GUARDED)
def test_nobody_of_the_user_looks_into_a_process_with_a_key(folder: Path, code: str) -> None:
    with process(folder, code) as child:
        assert core_limit(child) == ["0", "0"]
        assert not may_look(child)


def dumps(folder: Path, code: str) -> bool:
    """Tell whether a core file is written of a process that aborts."""
    with process(folder, code, end="os.abort()") as child:
        _, status = os.waitpid(child.pid, 0)
        child.returncode = -6
    assert os.WIFSIGNALED(status)
    found = list(folder.glob("core*"))
    for path in found:
        path.unlink()
    return os.WCOREDUMP(status) or bool(found)


@LINUX
def test_no_core_file_is_left(folder: Path) -> None:
    if not dumps(folder, NOTHING):
        pytest.skip("this machine writes no core files")
    assert not dumps(folder, LOADS)


@LINUX
def test_others_are_left_as_they_are(folder: Path) -> None:
    with process(folder, NOTHING) as child:
        assert core_limit(child) != ["0", "0"]
        if not may_look(child):
            pytest.skip("this machine lets nobody look into a process")


def test_the_key_is_guarded_before_it_is_read(folder: Path) -> None:
    """Even a file that is no key: it may hold half of one."""
    code = (
        "from opensmtpd.mail.dkim.keys import load, memory;"
        " memory.guard = lambda: print('guard', flush=True);"
        " load.reading = lambda path: sys.exit(print('read', flush=True));"
        " load.load(sys.argv[1])"
    )
    child = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", str(folder / "private.key")],
        stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    assert child.stdout == b"guard\nread\n"


def test_a_python_without_ctypes_loads_keys(folder: Path) -> None:
    code = f"import sys; sys.modules['ctypes'] = None; {LOADS}"
    subprocess.run([sys.executable, "-c", code, str(folder / "private.key")], check=True)
