"""The public modules of the library, and the names that each has for authors of plugins."""

from importlib import import_module
from pkgutil import iter_modules

import opensmtpd

MODULES = (
    "opensmtpd.answer",
    "opensmtpd.dns",
    "opensmtpd.dns.names",
    "opensmtpd.dns.options",
    "opensmtpd.early",
    "opensmtpd.errors",
    "opensmtpd.files",
    "opensmtpd.filter",
    "opensmtpd.log",
    "opensmtpd.needs",
    "opensmtpd.options",
    "opensmtpd.run",
    "opensmtpd.table",
    "opensmtpd.table.file",
    "opensmtpd.table.matching",
    "opensmtpd.table.passwords",
    "opensmtpd.testing",
    "opensmtpd.timers",
    "opensmtpd.worker",
)
CHANGING = {"backends", "capture", "mail"}
"""Folders that anybody may import from, and that may change in any release."""
PUBLIC: dict[str, list[str]] = {name: list(import_module(name).__all__) for name in MODULES}


def top_level() -> set[str]:
    """Return the modules and packages right below ``opensmtpd`` whose names are not private."""
    found = {module.name for module in iter_modules(opensmtpd.__path__)}
    return {f"opensmtpd.{name}" for name in found if not name.startswith("_")}
