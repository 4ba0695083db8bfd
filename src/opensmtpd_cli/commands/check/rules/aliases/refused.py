"""Find aliases for which smtpd refuses mail: they lead in a circle, or to nobody."""

import os
import pwd
from collections.abc import Iterator

from opensmtpd.table.file import Row
from opensmtpd_cli.commands.check.finding import Finding, error, warning
from opensmtpd_cli.commands.check.rules.aliases.expansion import Expander
from opensmtpd_cli.commands.check.rules.aliases.words import Word, WordKind, words
from opensmtpd_cli.commands.check.rules.ruleset.local_names import is_local
from opensmtpd_cli.commands.check.rules.ruleset.matching import Envelope, Ruleset
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.errors import Unsure
from opensmtpd_cli.smtpdconf.directives import ActionDefinition, TableRef

_WHY = {
    "alias-unreadable": "Mail for it gets 424 for as long as the sender tries.",
    "alias-loop": "Mail for it gets 524, and goes back to its sender.",
    "alias-refused": "Mail for it is refused for all its recipients.",
    "alias-target-missing": "Mail for it is refused for all its recipients.",
}
_REMEDY = {
    "alias-unreadable": "write users, addresses, /files or |programs, with commas between them",
    "alias-loop": "let one of its names lead to a user: NAME: USER",
    "alias-refused": "correct the address, or write a match for its domain",
    "alias-target-missing": "correct the name, or make the user",
}


def refused(server: Server) -> Iterator[Finding]:
    """Yield the aliases for which mail is refused, and those with files that are not there."""
    configuration = server.configuration
    tables = Tables(configuration)
    expander = Expander(
        Ruleset(configuration.matches, tables, is_local),
        tables,
        configuration.actions,
        configuration.settings.get("sub-addr-delim", "+"),
    )
    seen = set()
    for action in configuration.actions.values():
        table = action.alias or action.virtual
        if table is None or (table, action.userbase) in seen:
            continue
        seen.add((table, action.userbase))
        path = _path(server, table, action)
        for row in _last_rows(tables.rows(table) or ()):
            yield from _row(expander, row, action, path)
            yield from _missing(row, path)


def _last_rows(rows: tuple[Row, ...]) -> list[Row]:
    """Return the last row of each key: smtpd keeps no other."""
    return list({row.key: row for row in rows}.values())


def _row(expander: Expander, row: Row, action: ActionDefinition, path: str) -> Iterator[Finding]:
    try:
        found = expander.dead_end(row.key, row.value or "", action)
    except Unsure:
        return
    if found is not None:
        fault = f"the alias {row.key}: {found.reason}"
        code = found.code
        yield error(code, (path, row.line), fault, _WHY[code], _REMEDY[code])


def _missing(row: Row, path: str) -> Iterator[Finding]:
    """Yield the files and programs of an alias that are not there."""
    for word in words(row.value or ""):
        name = _named(word)
        if name is None or _there(name):
            continue
        if word.kind is WordKind.INCLUDE:
            fault = f"the alias {row.key} includes {name}, which is not there"
            yield warning(
                "alias-include-missing", (path, row.line), fault,
                "Nobody in it gets the mail.", f"make {name}, or correct the path",
            )  # fmt: skip
        else:
            fault = f"the alias {row.key} runs {name}, which is not there"
            yield error(
                "alias-program-missing", (path, row.line), fault,
                "The mail goes back to its sender.", "install the program, or correct the path",
            )  # fmt: skip


def _named(word: Word) -> str | None:
    """Return the path that a word names for certain: the shell may make anything of the rest."""
    if word.kind is WordKind.INCLUDE:
        return word.text
    if word.kind is WordKind.PROGRAM:
        name = (word.text.split() or [""])[0]
        plain = name.replace("/", "").replace("-", "").replace(".", "").replace("_", "").isalnum()
        return name if name.startswith("/") and plain else None
    return None


def _there(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _path(server: Server, table: TableRef, action: ActionDefinition) -> str:
    """Return the file that the rows of a table stand in."""
    definition = server.configuration.tables.get(table.name)
    if definition is None:
        return action.place.path
    return definition.file or definition.path


def root(server: Server) -> Iterator[Finding]:
    """Yield that nobody gets the mail for root, to whom programs such as cron write."""
    configuration = server.configuration
    tables = Tables(configuration)
    envelope = Envelope("root@localhost", False, "local", "localhost", "localhost", None, "", True)
    try:
        rule = Ruleset(configuration.matches, tables, is_local).first(envelope)
        action = configuration.actions.get(rule.action) if rule else None
        if action is None or not _delivers_to_root(action, tables):
            return
    except Unsure:
        return
    yield warning(
        "root-mail-refused",
        action.place,
        f"mail for root is refused: smtpd runs no {action.kind} as root",
        "Reports of cron and other programs of the system are lost.",
        "write an alias in the table of the action: root: USER",
    )


def _delivers_to_root(action: ActionDefinition, tables: Tables) -> bool:
    """Return whether an action runs a program of delivery as root. Raises Unsure."""
    if action.kind not in ("maildir", "lmtp", "mda") or action.user or action.userbase:
        return False
    if action.virtual is not None:
        return False
    if action.alias is not None:
        mapping = tables.mapping(action.alias)
        if mapping is None:
            raise Unsure
        if mapping.get("root", "root").strip() != "root":
            return False
    try:
        home = pwd.getpwnam("root").pw_dir
        os.lstat(os.path.join(home, ".forward"))
    except FileNotFoundError:
        return True
    except (KeyError, OSError):
        raise Unsure from None
    return False
