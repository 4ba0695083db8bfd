"""Start ``opensmtpd-plugins``, end it at a signal, and check for the packages that it needs."""

import os
import signal
import sys

PROGRAM = "opensmtpd-plugins"
EXTRA = ("click", "rich")
"""Packages of the extra ``operator``. An installation of a plugin alone lacks them."""


def main() -> None:
    """Run opensmtpd-plugins."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as it is under nohup, or behind &
            signal.signal(number, _end)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115  2>&-
    if None in (sys.stdin, sys.stdout):
        sys.stderr.write(f"{PROGRAM}: standard input or output is closed; give it /dev/null\n")
        sys.exit(2)
    try:
        from opensmtpd_cli.main import main as program  # noqa: PLC0415  it may not be there
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        sys.exit(
            f"{PROGRAM}: this command needs {error.name};"
            " pip install 'opensmtpd-plugins[operator]',"
            f" or with pipx: pipx inject --global opensmtpd-plugins {' '.join(EXTRA)}"
        )
    program(prog_name=PROGRAM)


def _end(number: int, _: object) -> None:
    """End in good order: what was started is ended, and what was begun is taken back."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
