"""``opensmtpd-plugins completion``: the script that completes this program in a shell."""

import glob
import os

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
)

SHELLS = ("bash", "zsh", "fish")
SERVERS = ("postgres", "mysql", "redis", "ldap")
"""The kinds of databases on servers: ``database.locations`` has them."""


def complete_files(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Have the shell complete names of files."""
    return [CompletionItem(incomplete, type="file")]


def complete_folders(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Have the shell complete names of directories."""
    return [CompletionItem(incomplete, type="dir")]


class _Bash(BashComplete):
    def source(self) -> str:
        # Without the look at the version of bash: none need be there when a package is built.
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        # For bash, sqlite:/etc/mail/users.conf is three words, one of them a colon; so is --key=x.
        words, inside = [""], True
        args, incomplete = super().get_completion_args()
        for word in (*args, incomplete):
            mark = bool(word) and not word.strip(":=")
            if inside or mark:
                words[-1] += word
            else:
                words.append(word)
            inside = mark
        return words[:-1], words[-1]


class _Whole(ShellComplete):
    # The others put a completion in the place of the whole word, with the option in front of "=".
    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, equals, _ = incomplete.partition("=")
        front = option + equals if equals and option.startswith("--") else ""
        found = super().get_completions(args, incomplete)
        return [CompletionItem(front + item.value, item.type, item.help) for item in found]


class _Zsh(_Whole, ZshComplete):
    # The file of a database on a server stands behind a colon.
    source_template = ZshComplete.source_template.replace(
        "_path_files -f", f"compset -P '({'|'.join(SERVERS)}):'; _path_files -f"
    )


class _Fish(_Whole, FishComplete):
    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        found = super().get_completions(args, incomplete)
        kind, colon, path = incomplete.partition(":")
        if not (colon and kind in SERVERS and [item.type for item in found] == ["file"]):
            return found
        return [CompletionItem(f"{kind}:{each}") for each in _files(path)]


def _files(begun: str) -> list[str]:
    """Return the paths that begin so, those of directories with a slash behind."""
    names = sorted(glob.glob(glob.escape(begun) + "*"))
    return [name + "/" if os.path.isdir(name) else name for name in names]


for kind in (_Bash, _Zsh, _Fish):
    add_completion_class(kind)


@click.command("completion", short_help="Print what completes this program in a shell.")
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that completes this program in SHELL: bash (4.4 or later), zsh or fish."""
    root = ctx.find_root()
    program = root.info_name or ""
    kind = get_completion_class(shell)
    assert kind is not None
    variable = f"_{program}_COMPLETE".replace("-", "_").upper()  # where click looks for it
    click.echo(kind(root.command, {}, program, variable).source().strip())
