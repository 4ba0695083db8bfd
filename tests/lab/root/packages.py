"""Install the Debian packages that demo and tests need, and say so.

A script for the system's own Python, standard library only: it runs before there is a ``.venv``.
With the argument ``building`` it installs no more than ``make deb`` needs. Without root and sudo it
says in one line what cannot run, and succeeds: the rest can.
"""

import importlib.util
import os
import shutil
import subprocess
import sys

PROGRAMS = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "unshare": "util-linux",
    "mandoc": "mandoc",
    "openssl": "openssl",
    "patch": "patch",
    "bmake": "bmake",
    "zsh": "zsh",
    "fish": "fish",
    "lintian": "lintian",
}
"""Program and the Debian package that brings it."""

BUILDING = (
    "debhelper",
    "dh-python",
    "dpkg-dev",
    "pybuild-plugin-pyproject",
    "python3-all",
    "python3-click",
    "python3-hatchling",
    "python3-msgpack",
    "python3-rich",
)
"""What our own Debian packages are built with. dpkg asks for the packages, not for programs."""

SIGNERS = ("libmail-dkim-perl", "libopendkim11")
"""Libraries that sign messages, for our verifier to judge."""

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def missing(building: bool) -> list[str]:
    """Return the names of the packages that are not there: of all, or of those to build with."""
    wanted = [package for package in BUILDING if not installed(package)]
    if building:
        return wanted
    wanted += [package for package in SIGNERS if not installed(package)]
    wanted += [pkg for program, pkg in PROGRAMS.items() if not shutil.which(program, path=PATH)]
    if importlib.util.find_spec("ensurepip") is None:
        wanted.append("python3-venv")
    return wanted


def installed(package: str) -> bool:
    """Tell whether dpkg knows a package as installed; True where there is no dpkg to ask."""
    if not shutil.which("dpkg-query"):
        return True
    asked = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout == "installed"


def privileged() -> list[str] | None:
    """Return what goes before a command to run it as root; None where nothing does."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    # Without a terminal nobody can type a password: ask sudo not to.
    prefix = [sudo] if sys.stdin.isatty() else [sudo, "-n"]
    allowed = subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL, check=False)
    return prefix if allowed.returncode == 0 else None


def main() -> None:
    """Install what is missing. Where that fails, what needs it says so when its turn comes."""
    wanted = missing(building=sys.argv[1:] == ["building"])
    if not wanted:
        return
    names = " ".join(wanted)
    prefix = privileged()
    if prefix is None or not shutil.which("apt-get", path=PATH):
        lack = "root or sudo" if prefix is None else "apt-get"
        print(f"lab: no {lack}: what needs {names} cannot run; the rest goes on", flush=True)
        return
    print(f"lab: installing {names} with apt-get", flush=True)
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    for step in (["update"], ["install", "--yes", "--no-install-recommends", *wanted]):
        done = subprocess.run(
            [*apt, *step], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
    if done.returncode:
        print(f"lab: apt-get failed: what needs {names} cannot run; the rest goes on", flush=True)


if __name__ == "__main__":
    main()
