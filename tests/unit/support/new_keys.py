"""``genkey`` in this process, and its output as a name server and as smtpd see it."""

import re
import shlex
from pathlib import Path

import dkim
import dns.zone
from dns.rdtypes.ANY.TXT import TXT

from opensmtpd.filter import Filter
from opensmtpd.testing import run_message
from opensmtpd_filters import dkimsign
from unit.support import dkim_material  # noqa: F401  it teaches dkimpy Ed25519
from unit.support.swap import Program, Said

KEY_TABLE = "# keys\r\nexample.com  ed  ed.key\nexample.org  x   rsa.key  rsa-sha256\n"

MESSAGE = b"From: Ann <ann@example.com>\nTo: bob@example.org\nSubject: hello\n\nHello.\n"
_RECORD = re.compile(r"^\S+ IN TXT \([^()]*\)$", re.MULTILINE)


def genkey(run: Program, *arguments: object) -> Said:
    """Run ``genkey`` for example.com."""
    return run("genkey", "--domain", "example.com", *arguments)


def rotate(run: Program, table: object, *arguments: object) -> Said:
    """Run ``genkey --rotate`` for example.com."""
    return genkey(run, "--rotate", table, *arguments)


def published(said: str) -> dict[str, bytes]:
    """Return the records in what was printed, as a name server would read them: name and text."""
    text = "\n".join(["$TTL 3600", *_RECORD.findall(said)])
    zone = dns.zone.from_text(text, origin=".", check_origin=False, relativize=False)
    records = {}
    for name, _, rdata in zone.iterate_rdatas("TXT"):
        assert isinstance(rdata, TXT)
        assert all(len(string) <= 255 for string in rdata.strings)
        records[str(name).rstrip(".")] = b"".join(rdata.strings)
    return records


def filter_of(line: str) -> Filter:
    """Return the filter that a line of smtpd.conf runs, through smtpd's quotes and a shell's."""
    found = re.fullmatch(
        r'filter "dkimsign" proc-exec "([^"]*)" user _dkimsign group _dkimsign', line
    )
    assert found
    return filter_with(*shlex.split(found[1])[1:])


def filter_with(*flags: str) -> Filter:
    return dkimsign.DkimSign(dkimsign.parser().parse_args(flags))


def signatures(filter: Filter, records: dict[str, bytes]) -> list[tuple[str, bool]]:
    """Have a filter sign; return selector and verdict of dkimpy for each signature."""
    message = run_message(filter, MESSAGE).message
    assert message.endswith(MESSAGE)
    judge = dkim.DKIM(message.replace(b"\n", b"\r\n"))
    found = []
    for index in range(message.count(b"DKIM-Signature:")):
        asked: list[str] = []

        def answer(name: bytes, timeout: int = 5, asked: list[str] = asked) -> bytes | None:
            asked.append(name.decode().rstrip("."))
            return records.get(asked[-1])

        try:
            good = bool(judge.verify(index, dnsfunc=answer))
        except dkim.ValidationError:
            good = False
        found.append((asked[0].partition("._domainkey.")[0], good))
    return found


def state(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    """Return mode and content of everything in a folder."""
    return {
        path.name: (
            path.lstat().st_mode,
            str(path.readlink()) if path.is_symlink() else _content(path),
        )
        for path in sorted(folder.iterdir())
    }


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
