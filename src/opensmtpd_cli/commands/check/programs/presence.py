"""Find out that a program is there, and can be run at all."""

import os
import stat

from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import NOWHERE, Finding
from opensmtpd_cli.commands.check.programs import who
from opensmtpd_cli.plugin import table_program
from opensmtpd_cli.system import libexec

NOT_ROOT = finding.unseen(
    "not-root",
    NOWHERE,
    "no filter and no table was started, and no file looked at with the rights of its user",
    "Only root can take the place of their users.",
    "run this as root",
)


def runs(path: str) -> bool:
    """Return whether a file can be run by anybody at all."""
    mode = os.stat(path).st_mode
    return stat.S_ISREG(mode) and mode & 0o111 != 0


def missing(kind: str, place: tuple[str, int], title: str, program: str) -> Finding:
    """Return the finding of a program that is not where smtpd looks for it."""
    name = os.path.basename(program)
    near = table_program.suggested(name, table_program.OURS)
    at = "" if program.startswith("/") else f" in {libexec.folders()[0]}"
    fault = f"{title}: there is no program {program}{at}{near}"
    package = table_program.package(name)
    remedy = f"apt install {package}" if package else "correct its name, or install it"
    if name in table_program.OURS:
        remedy += f", or opensmtpd-plugins install {name}"
    return finding.error(f"{kind}-program-missing", place, fault, who.STOPS, remedy)


def not_executable(kind: str, place: tuple[str, int], title: str, path: str) -> Finding:
    """Return the finding of a file that is no program."""
    fault = f"{title}: {path} is no program that can be run"
    return finding.error(f"{kind}-not-executable", place, fault, who.STOPS, f"chmod a+x {path}")
