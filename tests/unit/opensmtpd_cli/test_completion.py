"""Completion by the shells themselves, of a command line that is typed into them."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from opensmtpd_cli import completion, main
from unit.support.swap import Program

SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        "eval \"$(opensmtpd-plugins completion bash)\"; bind 'set bell-style none'",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        'bindkey -e; autoload -U compinit; compinit -u; eval "$(opensmtpd-plugins completion zsh)"',
    ),
}
"""The command that starts each without anybody's settings, and its first line of input."""

TYPED = [
    ("compl", "completion "),
    ("lookup --smtpd-v", "lookup --smtpd-version "),
    ("lookup sqlite:/x userin", "lookup sqlite:/x userinfo "),
    ("genkey --algorithm ed", "genkey --algorithm ed25519 "),
    ("genkey --algorithm=ed", "genkey --algorithm=ed25519 "),
    ("genkey --rotate ta", "genkey --rotate tables.db "),
    ("completion fi", "completion fish "),
    ("export ta", "export tables.db "),
    ("export tables.db fo", "export tables.db folder/"),
    ("user add ta", "user add tables.db "),
    ("user add postgres:ta", "user add postgres:tables.db "),
    ("export mysql:fo", "export mysql:folder/"),
    ("import ldap:ta", "import ldap:tables.db "),
    ("release ta", "release tables.db "),
]
"""The text before a tab, and after it."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder that the shells start in: it holds a file and a folder."""
    (tmp_path / "tables.db").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


def need(shell: str) -> None:
    """Skip the test without that shell; in CI its absence is a failure."""
    if shutil.which(shell) is None:
        assert not os.environ.get("CI"), f"{shell} can be installed"
        pytest.skip(f"{shell} is not installed")


def environment(home: Path) -> dict[str, str]:
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "TERM": "dumb", "PS1": "", "LC_ALL": "C.UTF-8"}


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, shell: str, home: Path) -> None:
        self.seen = ""
        argv, first = SHELLS[shell]
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, cwd=home,
            env=environment(home), start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.type(f"{first}; echo rea''dy\n")
        self.wait("ready")

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def wait(self, text: str) -> str:
        """Read up to a text, and return what comes behind it in its line."""
        end = time.monotonic() + 120
        while f"{text}" not in self.seen or "\n" not in self.seen.rpartition(text)[2]:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if select.select([self.ours], [], [], left)[0]:
                self.seen += os.read(self.ours, 65536).decode()
        _, _, rest = self.seen.rpartition(text)
        line, _, self.seen = rest.partition("\n")
        return line.rstrip("\r")

    def complete(self, text: str) -> str:
        """Type a command line and a tab, and return what the shell has made of it."""
        # At the beginning of the line then: show what follows, between marks, as one word.
        self.type(f"{text}\t'\x01printf '(%s)\\n' 'sa''id:\n")
        return self.wait("(said:").removesuffix(")")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tab(home: Path, shell: str) -> None:
    need(shell)
    terminal = Terminal(shell, home)
    try:
        for typed, wanted in TYPED:
            made = terminal.complete(f"opensmtpd-plugins {typed}")
            assert made == f"opensmtpd-plugins {wanted}"
    finally:
        terminal.close()


def test_fish(home: Path) -> None:
    need("fish")
    script = "opensmtpd-plugins completion fish | source\n"
    script += "".join(f"complete --do-complete 'opensmtpd-plugins {typed}'\n" for typed, _ in TYPED)
    said = subprocess.run(
        ["fish", "--no-config", "--command", script], cwd=home, env=environment(home),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    words = [line.partition("\t")[0] for line in said.stdout.splitlines()]
    assert words == [wanted.split()[-1] for _, wanted in TYPED]


# --- what is printed ------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script(run: Program, shell: str) -> None:
    said = run("completion", shell)
    assert (said.status, said.err) == (0, "")
    assert "_OPENSMTPD_PLUGINS_COMPLETE=" + shell + "_complete" in said.out
    assert said.out.startswith("#compdef opensmtpd-plugins\n") == (shell == "zsh")  # for its fpath


def test_no_shell_is_needed_to_print_it(run: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = run("completion", "bash")
    assert (said.status, said.err) == (0, "")


def test_an_unknown_shell(run: Program) -> None:
    said = run("completion", "csh")
    assert (said.status, said.out) == (2, "")
    assert "'csh' is not one of 'bash', 'zsh', 'fish'" in said.err


PLACES = {
    "DATABASE": "file",
    "KEYTABLE": "file",
    "DIR": "dir",
    "DIRECTORY": "dir",
    "FILE": "file",
    "STATE": "file",
    "SMTPD_CONF": "file",
}
"""What stands for a file or a directory in the help, and what the shells are asked for."""


def parameters(command: click.Command) -> list[click.Parameter]:
    found = list(command.params)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += parameters(below)
    return found


def test_all_files_are_completed() -> None:
    context = click.Context(main.main)
    asked = 0
    for each in parameters(main.main):
        kind = PLACES.get((each.metavar or each.human_readable_name).upper())
        if kind:
            found = [item.type for item in each.shell_complete(context, "x")]
            assert found == [kind], each
            asked += 1
    assert asked > len(PLACES)
