"""The configuration file of table-record: one ``key value`` a line; ``#`` begins a comment."""

import argparse
import os
from collections.abc import Callable
from typing import Any

from opensmtpd import options
from opensmtpd.capture import programs
from opensmtpd.capture.writer import CaptureSettings
from opensmtpd.errors import ConfigError, did_you_mean
from opensmtpd.files import reading

CONF_MAX = 1 << 16


def read(path: str) -> tuple[str, str, CaptureSettings]:
    """Return the program, its argument, and what to record. Raises ConfigError."""
    found: dict[str, Any] = {}
    with reading(path) as file:
        lines = file.read(CONF_MAX).decode("utf-8", "surrogateescape").splitlines()
    for number, line in enumerate(lines, 1):
        key, _, value = line.strip().partition(" ")
        if not key or key.startswith("#"):
            continue
        try:
            found[key] = _KEYS[key](value.strip())
        except KeyError:
            fault = f"there is no key {key!r:.40}{did_you_mean(key, _KEYS)}"
            raise ConfigError(fault, path=path, line=number) from None
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise ConfigError(f"{key}: {error}", path=path, line=number) from None
    for key in ("table", "capture"):
        if key not in found:
            raise ConfigError(f"no {key}", path=path, remedy=f"say '{key} {_EXAMPLES[key]}'")
    kind, argument = found.pop("table")
    settings = CaptureSettings(
        found["capture"],
        found.get("size", options.size(programs.SIZE)),
        found.get("files", programs.FILES),
        addresses=found.get("addresses", True),
    )
    return programs.place(f"table-{kind}"), argument, settings


def _table(text: str) -> tuple[str, str]:
    kind, colon, argument = text.partition(":")
    if not colon or not argument.startswith("/") or not kind or "/" in kind:
        raise ValueError(f"{text!r:.80} is not TYPE:/path")
    return kind, argument


def _path(text: str) -> str:
    if not os.path.isabs(text):
        raise ValueError(f"{text!r:.80} does not begin with /")
    return text


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r:.40} is neither yes nor no")
    return text == "yes"


_KEYS: dict[str, Callable[[str], object]] = {
    "table": _table,
    "capture": _path,
    "size": programs.capture_size,
    "files": programs.files,
    "addresses": _yes,
}
_EXAMPLES = {"table": "sqlite:/etc/mail/sqlite.conf", "capture": "/var/log/smtpd/users.capture"}
