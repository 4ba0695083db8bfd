"""filter-dkimsign as a process: its memory is bounded, whatever is under way."""

from pathlib import Path

import pytest

from unit.support.child import Child
from unit.support.dkim_material import RSA_PEM
from unit.support.talk import data, report

MAIN = """
from opensmtpd_filters import dkimsign
dkimsign.main()
"""
HEADER = [b"From: a@example.com", b"Subject: large", b""]


def peak(child: Child) -> int:
    """The most memory that the process has had, in KiB (not its parent's, as ru_maxrss has it)."""
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def session(number: int) -> bytes:
    return b"%016x" % (number + 1)


@pytest.fixture
def argv(tmp_path: Path) -> list[str]:
    key = tmp_path / "rsa.key"
    key.write_text(RSA_PEM)
    key.chmod(0o600)
    return ["-d", "example.com", "-s", "mail", "-k", str(key)]


def test_sixteen_sessions_of_two_megabytes(tmp_path: Path, argv: list[str]) -> None:
    with Child(tmp_path, "", *argv, main=MAIN) as child:
        child.hello()
        for number in range(16):
            child.send(data(*HEADER, session=session(number)))
        piece = [b"x" * 76] * 1300  # 100 KB
        for _ in range(20):
            for number in range(16):
                child.send(data(*piece, session=session(number)))
        for number in range(16):
            child.send(data(b".", session=session(number)))
            answer = child.until(b"|.\n")
            assert answer.count(b"DKIM-Signature: ") == 1
            assert len(answer) > 2_000_000
        assert peak(child) < 60 * 1024


@pytest.mark.parametrize("sessions", [30, 300])
def test_many_headers_of_short_lines(tmp_path: Path, argv: list[str], sessions: int) -> None:
    """What spools (16 MiB) and headers (8 MiB) may keep, and 8 MiB for all that moves."""
    with Child(tmp_path, "", *argv, main=MAIN) as child:
        child.hello()
        before = peak(child)
        for number in range(sessions):
            child.send(data(*[b"ab"] * 80_000, session=session(number)))
        child.send(report(b"tx-reset", b"018a64ac"))
        child.send(data(*HEADER, b"."))
        child.until(b"|.\n")
        assert peak(child) - before < (16 + 8 + 8) * 1024
