"""Text that is fit for a terminal, and passwords that do not show there."""

import sys
from collections.abc import Iterable, Sequence

import click


def shown(text: str | bytes) -> str:
    """Return text with everything escaped that does not print: it may come from anybody."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in raw.decode("utf-8", "backslashreplace")
    )


def say(text: str, *, err: bool = False, **style: object) -> None:
    """Write a line to standard output, or to standard error, whatever its encoding.

    It is in colour on a terminal only.
    """
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    click.secho(text, err=err, **style)  # type: ignore[arg-type]


def password(prompt: str, *, twice: bool = False) -> str:
    """Read a password from the terminal, unseen, or a line of standard input that is none.

    Bytes that are no UTF-8 become surrogates. Raises click.UsageError for an empty one.
    """
    if sys.stdin.isatty():
        text = str(click.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))
    else:
        raw = sys.stdin.buffer.readline()
        text = raw.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
    if not text or "\n" in text or "\0" in text:
        raise click.UsageError("there is no password on standard input")
    return text


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows: as a table on a terminal, else as lines with tabs between the cells."""
    texts = ([shown(str("" if cell is None else cell)) for cell in row] for row in rows)
    if not sys.stdout.isatty():
        for row in texts:
            say("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415  slow to import, and seldom needed
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table(*columns, box=None, header_style="bold")
    for row in texts:
        grid.add_row(*(Text(cell, overflow="fold") for cell in row))  # no markup in what is there
    Console().print(grid)
