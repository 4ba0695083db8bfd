"""The table at the end of a run, for the terminal and for the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.chaos.ledger import Row

PAGE = Path(__file__).with_name("RESULTS.md")
COLUMNS = ("fault", "times", "sent", "accepted", "delivered once", "lost", "twice", "unsigned",
           "unkept", "tempfailed", "refused", "no answer", "smtpd stops", "longest silence, s",
           "whole again, s")  # fmt: skip
INTRODUCTION = """\
# What faults do to mail

`make chaos ARGS=--page` writes this page. A real smtpd serves clients who send 2 KB to 2 MB all the
time, through filter-rdns `--verify`, filter-dnsbl, filter-senderscore, filter-greylist (with a
file, and with Valkey), filter-limit, filter-rspamd (with rspamd), filter-dkimsign and
filter-archive, with aliases, domains, users, senders and passwords in SQLite, while one fault after
another befalls it. Mail that is greylisted is tempfailed.

Each message has a number. *accepted* ones have to be *delivered once* and to have a signature that
holds; *lost*, *twice*, *unsigned*, *unkept* (not once in the archive, or there though it was not
accepted), *refused* (for good), *no answer* (within a minute) and *smtpd stops* have to be 0. The
difference between *sent* and the rest are clients whose connection ended. The *longest silence* is
that of a client beside the fault, in a session that it keeps open. The server is *whole again* when
a message that was begun behind the fault is accepted.
"""


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as text."""
    told = row.told
    numbers = (row.times, row.sent, told["accepted"], row.once, row.lost, row.twice, row.unsigned,
               row.unkept, told["tempfailed"], told["refused"], told["no answer"],
               row.stops)  # fmt: skip
    return (row.fault, *map(str, numbers), f"{row.silence:.2f}", f"{row.whole:.2f}")


def total(rows: Sequence[Row]) -> Row:
    """Return the sum of rows, and the longest silence."""
    whole = Row("all")
    for row in rows:
        whole.times += row.times
        whole.told += row.told
        whole.once += row.once
        whole.lost += row.lost
        whole.twice += row.twice
        whole.unsigned += row.unsigned
        whole.unkept += row.unkept
        whole.stops += row.stops
        whole.silence = max(whole.silence, row.silence)
        whole.whole = max(whole.whole, row.whole)
    return whole


def text(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [COLUMNS, *map(cells, rows), cells(total(rows))]
    widths = [max(len(line[n]) for line in lines) for n in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def markdown(tables: Mapping[str, Sequence[Row]]) -> str:
    """Return the page: a table for each version of smtpd."""
    parts = [INTRODUCTION]
    for smtpd, rows in tables.items():
        lines = [COLUMNS, ("---",) + ("--:",) * (len(COLUMNS) - 1)]
        lines += [*map(cells, rows), cells(total(rows))]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"## smtpd {smtpd}\n\n{table}\n")
    return "\n".join(parts)
