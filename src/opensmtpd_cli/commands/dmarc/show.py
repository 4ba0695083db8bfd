"""``opensmtpd-plugins dmarc show``: what others report about one's own domains."""

import json
import sys
from typing import Any

import click

from opensmtpd.errors import ConfigError, RemoteError
from opensmtpd.mail.dmarc.reports.containers import documents
from opensmtpd.mail.dmarc.reports.parser import parse
from opensmtpd_cli import completion, terminal
from opensmtpd_cli.commands.dmarc import inputs
from opensmtpd_cli.commands.dmarc.page import page
from opensmtpd_cli.commands.dmarc.summary import Summary
from opensmtpd_cli.output import complain, note

COLUMNS = ("messages", "source", "from", "disposition", "dkim", "spf", "signed by", "envelope")


def read(paths: tuple[str, ...]) -> Summary:
    """Return what all files say together; what is wrong with one is a line."""
    summary = Summary()
    for path in inputs.paths(paths):
        try:
            for found in documents(inputs.content(path)):
                try:
                    if isinstance(found, RemoteError):
                        raise found
                    if not summary.add(path, parse(found)):
                        note(f"{path}: the same report once more")
                except RemoteError as error:
                    _broken(summary, path, error)
        except ConfigError as error:
            _broken(summary, path, error)
    return summary


def _broken(summary: Summary, path: str, error: Exception) -> None:
    complain(f"{path}: {error}")
    summary.broken.append((path, str(error)))


def described(summary: Summary) -> str:
    """Return in a line how much there is."""
    domains = sorted({told.report.domain for told in summary.reports})
    about = ", ".join(domains[:5]) + (" and others" if len(domains) > 5 else "")
    messages, passed = summary.messages(), summary.messages(passed=True)
    share = f", {100 * passed / messages:.1f}% passed" if messages else ""
    return f"{len(summary.reports):,} reports about {about}: {messages:,} messages{share}"


def _data(summary: Summary) -> dict[str, Any]:
    """Return all of it for JSON."""
    return {
        "messages": summary.messages(),
        "passed": summary.messages(passed=True),
        "failed": summary.messages(passed=False),
        "reports": [
            {
                "file": told.file,
                "organization": told.report.organization,
                "email": told.report.email,
                "id": told.report.id,
                "begin": told.report.begin,
                "end": told.report.end,
                "domain": told.report.domain,
                "policy": told.report.policy,
                "messages": told.messages,
            }
            for told in summary.reports
        ],
        "sources": [
            {"messages": count, "passed": group.passed, **group._asdict()}
            for count, group in summary.rows()
        ],
        "days": [
            {**part._asdict(), "messages": count} for part, count in sorted(summary.days.items())
        ],
        "broken": [{"file": file, "reason": reason} for file, reason in summary.broken],
    }


@click.command("show", short_help="Show what others report about one's own domains.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completion.complete_files)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@click.option("--html", "as_html", is_flag=True, help="Print a page with charts.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], as_json: bool, as_html: bool) -> None:
    """Show what aggregate reports say: the messages by source and result.

    FILE is a report as XML, gzip or zip, or the mail that carried it, or a folder of these; - is
    standard input, which is read without any FILE, too. A broken one is told, and the others are
    shown; the status is 1 then.
    """
    if as_json and as_html:
        raise click.UsageError("give one of --json and --html")
    if not files and sys.stdin.isatty():
        raise click.UsageError("Missing argument 'FILE'.")
    summary = read(files or (inputs.STDIN,))
    if as_json:
        terminal.say(json.dumps(_data(summary), indent=2))
    elif as_html:
        for part in page(summary, described(summary)):
            sys.stdout.buffer.write(part.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    elif summary.reports:
        terminal.table(COLUMNS, ((count, *group) for count, group in summary.rows()))
        note(described(summary))
    if summary.broken:
        ctx.exit(1)
