"""Speaks with a table as smtpd does, in one process."""

import argparse
import subprocess
import sys
from pathlib import Path

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.table import Table
from opensmtpd.testing.sources import take_next


def flags(path: Path, check: bool = False) -> argparse.Namespace:
    """Return what the options of a table come to."""
    return argparse.Namespace(path=str(path), check=check)


class Talk:
    """Shakes hands, then asks."""

    def __init__(self, table: Table, smtpd: bytes = b"7.9.0") -> None:
        self._protocol = TableConnection(table, log=lambda event, session=None, **fields: None)
        registered = self._exchange(
            b"config|smtpd-version|%s\nconfig|protocol|0.1\nconfig|tablename|t\nconfig|ready\n"
            % smtpd
        )
        self.services = [line.partition("|")[2] for line in registered.split("\n")][:-2]

    def _exchange(self, lines: bytes) -> str:
        self._protocol.receive(lines, 0.0)
        while self._protocol.busy:
            assert take_next()
        return self._protocol.data_to_send().decode("utf-8", "surrogateescape")

    def _ask(self, verb: str, rest: str) -> str:
        """Return what follows the id in the answer: ``found|VALUE``, ``not-found`` …"""
        line = f"table|0.1|1.2|t|{verb}|{rest}\n"
        answer = self._exchange(line.encode("utf-8", "surrogateescape"))
        head = f"{verb}-result|7f|"
        assert answer.startswith(head)
        assert answer.endswith("\n")
        assert answer.count("\n") == 1
        return answer[len(head) : -1]

    def lookup(self, service: str, key: str) -> str:
        """Ask for the value of a key."""
        return self._ask("lookup", f"{service}|7f|{key}")

    def check(self, service: str, key: str) -> str:
        """Ask whether there is a key."""
        return self._ask("check", f"{service}|7f|{key}")

    def fetch(self, service: str) -> str:
        """Ask for the next of a list."""
        return self._ask("fetch", f"{service}|7f")

    def update(self) -> str:
        """Have the table read anew."""
        return self._ask("update", "7f")


def program(module: str, *argv: str) -> tuple[int, str, str]:
    """Run a plugin's program; return its status, output and errors."""
    command = [sys.executable, "-m", module, *argv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr
