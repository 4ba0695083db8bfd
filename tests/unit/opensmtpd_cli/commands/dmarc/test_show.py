"""``dmarc show``: files of all kinds, good and broken, as a table, JSON and HTML."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opensmtpd.mail.dmarc.reports.document import Reporter, compressed, document
from opensmtpd.mail.dmarc.reports.store import DayPolicy
from opensmtpd_cli.main import main
from unit.support.dmarc_documents import LAUGHS, RFC_7489, mail, packed_gzip, packed_zip
from unit.support.dmarc_messages import DAY, PASSED, POLICY, RUA, SPARED

OURS = compressed(
    document(
        DayPolicy(1, DAY, POLICY, RUA),
        Reporter("mx.example.org", "Us", "a@example.org"),
        [(7, PASSED), (2, SPARED)],
    )
)
ROW_7489 = (
    "12\t192.0.2.7\texample.com\tnone\tfail\tpass"
    "\texample.net=pass example.com=fail\texample.com=pass\n"
)
ROWS_9990 = (
    "7\t192.0.2.1\texample.com\tpass\tpass\tfail"
    "\texample.com=pass list.example=fail\tbounces.example.net=pass\n",
    "2\t2001:db8::1\tnews.example.com\tnone\tfail\tfail\t\tnews.example.com=softfail\n",
)


def show(*argv: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["dmarc", "show", *argv], input=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.xml").write_bytes(RFC_7489)
    (tmp_path / "b.eml").write_bytes(mail(OURS))
    return tmp_path


def test_a_table_of_both_forms(folder: Path) -> None:
    result = show(str(folder))
    assert result.exit_code == 0
    assert result.stdout == "".join([ROW_7489, *ROWS_9990])
    assert result.stderr == "2 reports about example.com: 21 messages, 90.5% passed\n"


@pytest.mark.parametrize(
    "data", [RFC_7489, packed_gzip(RFC_7489), packed_zip(RFC_7489), mail(packed_zip(RFC_7489))]
)
@pytest.mark.parametrize("argv", [[], ["-"]])
def test_standard_input(data: bytes, argv: list[str]) -> None:
    assert show(*argv, stdin=data).stdout == ROW_7489


def test_the_same_report_twice_counts_once(folder: Path) -> None:
    (folder / "c.gz").write_bytes(packed_gzip(RFC_7489))
    result = show(str(folder))
    assert result.stdout == "".join([ROW_7489, *ROWS_9990])
    assert f"{folder}/c.gz: the same report once more\n" in result.stderr


def test_a_broken_report_is_a_line_and_the_rest_is_shown(folder: Path) -> None:
    broken = {
        "c.xml": (LAUGHS, "a document type, which no report has"),
        "d.gz": (packed_gzip(b"<" + b" " * (51 << 20)), "unpacks to more than 50 MB"),
        "e.zip": (packed_zip(*[RFC_7489] * 101), "a zip file with more than 100 files"),
        "f.xml": (b"<a>" * 9999, "no report: its root is a"),
        "g.xml": (b"<feedback>" * 9999, "elements deeper than 32"),
        "h.xml": (RFC_7489.replace(b"Big", b"\xff\xfe"), "no XML: not well-formed (invalid token)"),
        "i.gz": (packed_gzip(RFC_7489)[:-20], "compressed data that ends too early"),
        "j.eml": (b"Subject: hello\n\n", "a mail without a report"),
        "k\n\x1b[31m": (b"rubbish", "neither XML nor gzip, zip or a mail"),
    }
    for name, (data, _) in broken.items():
        (folder / name).write_bytes(data)
    result = show(str(folder))
    assert result.exit_code == 1
    assert result.stdout == "".join([ROW_7489, *ROWS_9990])
    lines = result.stderr.splitlines()
    assert len(lines) == len(broken) + 1
    for line, (name, (_, reason)) in zip(lines, broken.items(), strict=False):
        assert line.startswith(f"{folder}/{name}: {reason}".replace("\n\x1b", r"\n\x1b"))


def test_a_file_that_is_missing(folder: Path) -> None:
    result = show(str(folder / "missing"), str(folder / "a.xml"))
    assert (result.exit_code, result.stdout) == (1, ROW_7489)
    assert result.stderr.startswith(f"{folder}/missing: ")


def test_nothing_that_could_be_shown(tmp_path: Path) -> None:
    result = show(stdin=b"rubbish")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "-: neither XML nor gzip, zip or a mail\n"
    assert show(str(tmp_path)).exit_code == 0


def test_json(folder: Path) -> None:
    (folder / "c").write_bytes(b"rubbish")
    result = show("--json", str(folder))
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [found[key] for key in ("messages", "passed", "failed")] == [21, 19, 2]
    assert found["broken"] == [
        {"file": f"{folder}/c", "reason": "neither XML nor gzip, zip or a mail"}
    ]
    assert found["sources"][0] == {
        "messages": 12,
        "passed": True,
        "source": "192.0.2.7",
        "header_from": "example.com",
        "disposition": "none",
        "dkim": "fail",
        "spf": "pass",
        "signatures": "example.net=pass example.com=fail",
        "envelope": "example.com=pass",
    }
    assert found["days"][0] == {
        "day": "2024-10-03", "source": "192.0.2.7", "passed": True, "messages": 12
    }  # fmt: skip
    assert [each["organization"] for each in found["reports"]] == ["Big Mail", "Us"]
    assert found["reports"][1]["policy"] == {
        "discovery_method": "treewalk", "p": "reject", "sp": "quarantine", "np": "reject",
        "fo": "1", "adkim": "r", "aspf": "r", "testing": "n",
    }  # fmt: skip


def test_html(folder: Path) -> None:
    result = show("--html", str(folder))
    assert result.exit_code == 0
    assert result.stdout.startswith("<!DOCTYPE html>")
    assert result.stdout.count("<svg") == 2


def test_usage() -> None:
    assert show("--html", "--json", "x").exit_code == 2
    result = show("--jsn", "x")
    assert (result.exit_code, "--json" in result.stderr) == (2, True)
