"""``dmarc report``: which reports there are, where they go, and that each goes once."""

import os
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lab.peers.nameserver import NameServer
from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns import options as dns_options
from opensmtpd.dns.resolver import resolver as resolver_module
from opensmtpd.mail.dmarc.reports.containers import documents
from opensmtpd.mail.dmarc.reports.parser import ReadReport, parse
from opensmtpd.mail.dmarc.reports.store import ReportStore
from opensmtpd.testing import Zone
from opensmtpd_cli.commands.dmarc import report as report_module
from opensmtpd_cli.main import main
from unit.support.dmarc_messages import DAY, NOON, POLICY, SPARED, message
from unit.support.dns_lab import port

RESOLVER = resolver_module.Resolver
"""The real one: tests have another."""
FROM = ("--from", "dmarc@example.org", "--receiver", "mx.example.org")
FILE = "mx.example.org!example.com!1728000000!1728086399!5bbf009690d3.xml.gz"
RUA_NET = "mailto:x@rua.example.net"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with two days that are over, and one that is not."""
    monkeypatch.setattr(report_module, "today", lambda: DAY + 2)
    path = str(tmp_path / "db" / "reports.db")
    os.mkdir(tmp_path / "db")
    with closing(ReportStore(path, new=True)) as store:
        store.add([message(), message(), message(SPARED)])
        other = POLICY._replace(domain="other.example", p="none")
        store.add([message(time=NOON + 86400, policy=other, rua=RUA_NET)])
        store.add([message(time=NOON + 2 * 86400)])
    return path


CONSENT = Question("other.example._report._dmarc.rua.example.net", RecordType.TXT)


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> dict[Question, Reply]:
    found: dict[Question, Reply] = {CONSENT: Found(("v=DMARC1",))}
    monkeypatch.setattr(dns_options, "resolver", lambda _: Zone(found))
    return found


class Sendmail:
    """A program that keeps mails in files, in the order in which they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sent"
        self._folder.mkdir()
        self.path = str(folder / "sendmail")
        Path(self.path).write_text(
            f'#!/bin/sh\ntest -e {folder}/refuse && {{ echo "no room" >&2; exit 75; }}\n'
            f"n=$(ls {self._folder} | wc -l)\n"
            f'{{ echo "$@"; cat; }} > {self._folder}/$n\n'
        )
        os.chmod(self.path, 0o755)

    @property
    def mails(self) -> list[tuple[str, ReadReport]]:
        """The arguments and the report of each mail."""
        found = []
        for number in range(len(os.listdir(self._folder))):
            argv, _, mail = (self._folder / str(number)).read_bytes().partition(b"\n")
            (data,) = documents(mail)
            assert isinstance(data, bytes)
            found.append((argv.decode(), parse(data)))
        return found


@pytest.fixture
def sendmail(tmp_path: Path) -> Sendmail:
    return Sendmail(tmp_path)


def report(*argv: str) -> Result:
    return CliRunner().invoke(main, ["dmarc", "report", *argv])


def send(database: str, sendmail: Sendmail, *argv: str) -> Result:
    return report("--send", *FROM, "--sendmail", sendmail.path, *argv, database)


# --- list and print -------------------------------------------------------------------------------


def test_the_reports_are_listed(database: str) -> None:
    result = report(database)
    assert (result.exit_code, result.stdout) == (
        0,
        "2024-10-04\texample.com\treject\t2\t3\treports@example.com\twaiting\n"
        "2024-10-05\tother.example\tnone\t1\t1\tx@rua.example.net\twaiting\n",
    )


@pytest.mark.parametrize(
    "argv", [("--day", "2024-10-05"), ("--domain", "Other.example")], ids=["day", "domain"]
)
def test_some_are_chosen(database: str, argv: tuple[str, ...]) -> None:
    assert report(*argv, database).stdout.startswith("2024-10-05\tother.example\t")
    assert report(*argv, database).stdout.count("\n") == 1


def test_several_reports_are_not_printed_as_one(database: str) -> None:
    result = report("--print", *FROM, database)
    said = "2 reports would be printed; choose one with" in result.output
    assert (result.exit_code, said) == (2, True)


def test_a_receiver_without_a_full_name(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda: "vm")
    result = report("--print", *FROM[:2], "--domain", "example.com", database)
    said = "'vm' is no full name; name the mail server" in result.output
    assert (result.exit_code, said) == (2, True)


def test_reports_are_printed(database: str) -> None:
    result = report(
        "--print", *FROM, "--organization", "Us & Co", "--domain", "example.com", database
    )
    read = parse(result.stdout.encode())
    assert (read.organization, read.email) == ("Us & Co", "dmarc@example.org")
    assert [count for count, _ in read.rows] == [2, 1]
    assert report(database).stdout.count("waiting") == 2


# --- files ----------------------------------------------------------------------------------------


def test_reports_are_written_once(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    result = report("--directory", str(folder), *FROM, "--domain", "example.com", database)
    assert (result.exit_code, result.output) == (0, f"wrote {folder}/{FILE}\n")
    assert os.listdir(folder) == [FILE]
    data = zlib.decompress((folder / FILE).read_bytes(), wbits=31)
    assert parse(data).domain == "example.com"
    assert report(database).stdout.count("done") == 1
    again = report("--directory", str(folder), *FROM, database)
    assert again.output.count("wrote") == 1
    assert len(os.listdir(folder)) == 2


def test_a_folder_that_is_missing(database: str, tmp_path: Path) -> None:
    result = report("--directory", str(tmp_path / "missing"), *FROM, database)
    assert (result.exit_code, "no such directory" in result.output) == (1, True)
    assert report(database).stdout.count("waiting") == 2


# --- mail -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("replies")
def test_each_report_is_sent_once(database: str, sendmail: Sendmail) -> None:
    result = send(database, sendmail)
    assert (result.exit_code, result.output) == (
        0,
        "2024-10-04 example.com: sent to reports@example.com\n"
        "2024-10-05 other.example: sent to x@rua.example.net\n",
    )
    one, two = sendmail.mails
    assert one[0] == "-i -f dmarc@example.org -- reports@example.com"
    assert (one[1].domain, one[1].organization) == ("example.com", "mx.example.org")
    assert two[0] == "-i -f dmarc@example.org -- x@rua.example.net"
    assert two[1].domain == "other.example"
    again = send(database, sendmail)
    assert (again.exit_code, again.output, len(sendmail.mails)) == (0, "", 2)


def test_who_has_not_agreed_gets_nothing(
    database: str, sendmail: Sendmail, replies: dict[Question, Reply]
) -> None:
    replies[CONSENT] = Absent()
    result = send(database, sendmail, "--domain", "other.example")
    reason = "rua.example.net has not agreed to it"
    assert result.output == f"2024-10-05 other.example: not sent to x@rua.example.net: {reason}\n"
    assert (result.exit_code, sendmail.mails) == (0, [])
    assert send(database, sendmail, "--domain", "other.example").output == ""


def test_what_the_dns_does_not_tell_is_asked_again(
    database: str, sendmail: Sendmail, replies: dict[Question, Reply]
) -> None:
    replies[CONSENT] = Failed("timeout")
    result = send(database, sendmail)
    assert "not sent to x@rua.example.net: the DNS did not tell: timeout\n" in result.output
    assert len(sendmail.mails) == 1
    replies[CONSENT] = Found(("v=DMARC1",))
    assert send(database, sendmail).output == (
        "2024-10-05 other.example: sent to x@rua.example.net\n"
    )


@pytest.mark.usefixtures("replies")
def test_what_sendmail_refuses_is_sent_again(
    database: str, sendmail: Sendmail, tmp_path: Path
) -> None:
    (tmp_path / "refuse").touch()
    result = send(database, sendmail, "--quiet", "--domain", "example.com")
    assert (result.exit_code, result.output) == (
        1, "2024-10-04 example.com: not sent to reports@example.com: no room\n"
    )  # fmt: skip
    (tmp_path / "refuse").unlink()
    assert send(database, sendmail).exit_code == 0
    assert len(sendmail.mails) == 2


@pytest.mark.usefixtures("replies")
def test_several_addresses_and_their_limits(database: str, sendmail: Sendmail) -> None:
    uris = "mailto:a@example.com!10,mailto:b@example.com!1m,mailto:c@example.com,https://x/"
    with closing(ReportStore(database)) as store:
        store.add([message(rua=uris)])
    result = send(database, sendmail, "--domain", "example.com")
    assert result.output == (
        "2024-10-04 example.com: not sent to a@example.com: it takes 10 bytes at most\n"
        "2024-10-04 example.com: sent to b@example.com\n"
        "2024-10-04 example.com: sent to c@example.com\n"
    )
    assert [argv.split()[-1] for argv, _ in sendmail.mails] == ["b@example.com", "c@example.com"]


@pytest.mark.usefixtures("replies")
def test_no_address_that_takes_mail(database: str, sendmail: Sendmail) -> None:
    with closing(ReportStore(database)) as store:
        store.add([message(rua="https://example.com/, mailto:-x@example.com")])
    result = send(database, sendmail, "--domain", "example.com")
    reason = "it names no address that mail could be sent to"
    assert result.output == f"2024-10-04 example.com: not sent: {reason}\n"
    assert (result.exit_code, sendmail.mails) == (0, [])


def test_consent_from_a_real_name_server(
    database: str, sendmail: Sendmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver_module, "Resolver", RESOLVER)
    at = ("127.0.0.1", port())
    records: Any = {
        ("_dmarc.other.example", "TXT"): ['"v=DMARC1; p=none"'],
        ("*._report._dmarc.rua.example.net", "TXT"): ['"v=DMARC1; rua=mailto:y@rua.example.net"'],
    }
    with NameServer(records, at) as server:
        result = send(database, sendmail, "--nameserver", f"{at[0]}:{at[1]}")
        asked = {name for name, _ in server.asked}
    assert result.output == (
        "2024-10-04 example.com: sent to reports@example.com\n"
        "2024-10-05 other.example: sent to y@rua.example.net\n"
    )
    assert "other.example._report._dmarc.rua.example.net" in asked


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can act as others")
@pytest.mark.usefixtures("replies")
def test_root_touches_the_database_as_its_owner(
    database: str, sendmail: Sendmail, tmp_path: Path
) -> None:
    """The folder is a filter's: root does no more there than its user could do himself."""
    for path in (os.path.dirname(database), database):
        os.chown(path, 4321, 4321)
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        os.chmod(folder, os.stat(folder).st_mode | 0o011)
    assert send(database, sendmail, "--domain", "example.com").exit_code == 0
    assert len(sendmail.mails) == 1
    assert os.stat(database).st_uid == 4321
    secret = tmp_path / "secret.db"
    os.rename(database, secret)
    os.chown(secret, 0, 0)
    os.chmod(secret, 0o600)
    os.symlink(secret, database)
    os.chown(database, 4321, 4321, follow_symlinks=False)
    result = report(database)
    assert (result.exit_code, "is not followed" in result.output) == (1, True)


# --- usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("--send", "--print", *FROM), "give one of --print, --directory and --send"),
        (("--send", "--receiver", "mx.example.org"), "give the address of the reporter"),
        (("--from", "a b@c.example"), "'a b@c.example' is no plain address"),
        (("--receiver", "a b"), "'a b' is no name of a host"),
        (("--nameserver", "x"), "'x' is no name server"),
        (("--day", "yesterday"), "'yesterday' does not match the format '%Y-%m-%d'"),
    ],
)
def test_usage(database: str, argv: tuple[str, ...], reason: str) -> None:
    result = report(*argv, database)
    assert (result.exit_code, reason in result.output) == (2, True), result.output


def test_what_is_no_database(tmp_path: Path) -> None:
    missing = report(str(tmp_path / "missing.db"))
    assert (missing.exit_code, "there is no such database" in missing.output) == (1, True)
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE users (name)")
    other = report(str(tmp_path / "other.db"))
    assert (other.exit_code, "is no database of reports" in other.output) == (1, True)
    (tmp_path / "mail").write_text("From: a@example.org\n" * 1000)
    mail = report(str(tmp_path / "mail"))
    assert (mail.exit_code, f"{tmp_path}/mail: is no SQLite database" in mail.output) == (1, True)
