"""The users and folders that packages make for filters that keep something."""

from pathlib import Path

from lab.root import inside

PLACE = "/var/lib/opensmtpd-plugins"


def make_folder(view: Path, name: str) -> None:
    """Have the user of a filter, ``_limit`` of filter-limit, and his folder."""
    user = f"_{name}"
    if inside.tried(view, "id", user).returncode:
        inside.done(view, "useradd", "--system", "--user-group", user)
    inside.done(view, "mkdir", "-p", PLACE)
    inside.done(view, "install", "-d", "-o", user, "-g", user, "-m", "0700", f"{PLACE}/{name}")
