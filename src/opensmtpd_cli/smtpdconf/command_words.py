"""The words of a filter's command, which ``/bin/sh`` makes of it."""

import shlex

_SHELL = frozenset("$`*?[]{}()<>|&;~#!\n\\")
"""Characters that the shell may replace, outside of quotes."""


def words(command: str) -> list[str]:
    """Return the program and the arguments of a filter's command.

    The list is empty where only a shell could tell them.
    """
    return shlex.split(command) if _plain(command) else []


def _plain(command: str) -> bool:
    """Return whether a command is the same words for any shell."""
    quote = ""
    for char in command:
        if quote:
            quote = "" if char == quote else quote
            if quote == '"' and char in "$`\\":
                return False
        elif char in "'\"":
            quote = char
        elif char in _SHELL:
            return False
    return not quote
