"""The certificates of ``pki``: files, dates, names, and whether key and certificate fit.

smtpd reads them when it starts, and ends where it does not like owner or mode (``ssl_load_file``
and ``ssl_load_key`` in ``ssl.c``).
"""

import os
import stat
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.smtpdconf.directives import Pki, Place
from opensmtpd_cli.system import mail_name

if TYPE_CHECKING:
    from opensmtpd_cli.commands.check.names.pem_files import CertificateData

CERT_MODE, KEY_MODE = 0o755, 0o740
"""The bits that the mode of a file may have, at most."""
SOON = timedelta(days=3)
"""A certificate that ends so soon should be renewed by now, if it is not always so short."""
SHORT = timedelta(days=30)
NO_START = "smtpd does not start."
NO_TLS = "Programs of users refuse to connect, and so do servers that want TLS."


def pki_files(server: Server) -> Iterator[Finding]:
    """Look at the files of pki and ca as smtpd does: owner and mode."""
    conf = server.configuration
    for pki in conf.pkis.values():
        for path, place, most in (
            (pki.cert, pki.cert_place, CERT_MODE),
            (pki.key, pki.key_place, KEY_MODE),
        ):
            if path:
                yield from _file(path, place, most)
    for ca in conf.cas.values():
        yield from _file(ca.cert, ca.place, CERT_MODE)


def _file(path: str, place: Place, most: int) -> Iterator[Finding]:
    try:
        about = os.stat(path)
    except PermissionError:
        fault = f"{path} could not be looked at"
        yield finding.unseen("pki-unseen", place, fault, remedy="run it as root")
        return
    except OSError as error:
        fault, remedy = f"{path}: {error.strerror}", "correct the path, or put the file there"
        yield finding.error("pki-missing", place, fault, NO_START, remedy)
        return
    if not stat.S_ISREG(about.st_mode):
        yield finding.error("pki-missing", place, f"{path} is no file", NO_START, "name a file")
    elif about.st_uid != 0:
        fault = f"{path} does not belong to root"
        yield finding.error("pki-owner", place, fault, NO_START, f"chown root {path}")
    elif stat.S_IMODE(about.st_mode) & 0o777 & ~most:
        fault = f"{path} has the mode {stat.S_IMODE(about.st_mode):04o}, more than {most:04o}"
        remedy = f"chmod {'go-w' if most == CERT_MODE else 'g-wx,o='} {path}"
        yield finding.error("pki-mode", place, fault, NO_START, remedy)


def certificates(server: Server) -> Iterator[Finding]:
    """Look at the dates and names of certificates in use, and whether their keys fit."""
    used = _names_by_pki(server)
    if not used:
        return
    try:
        from opensmtpd_cli.commands.check.names import pem_files  # noqa: PLC0415  needs cryptography
    except ImportError as error:
        remedy = "pip install 'opensmtpd-plugins[dkim]'"
        raise ConfigError(f"they need cryptography: {error}", remedy=remedy) from None
    for pki in server.configuration.pkis.values():
        if pki.name in used:
            data, public = None, b""
            try:
                if _is_there(pki.cert):
                    data = pem_files.certificate(pki.cert)
                if _is_there(pki.key):
                    public = pem_files.public_half(pki.key)
            except ConfigError as error:
                place = pki.key_place if data else pki.cert_place
                yield finding.error("pki-broken", place, str(error), NO_START)
            except ValueError as error:
                yield finding.unseen("pki-unseen", pki.cert_place, str(error))
            if data is not None:
                yield from _judged(pki, data, public, used[pki.name])


def _is_there(path: str) -> bool:
    """Return whether a file can be read; of others ``pki_files`` tells."""
    return os.path.isfile(path) and os.access(path, os.R_OK)


def _judged(
    pki: Pki, data: "CertificateData", public: bytes, wanted: Collection[str]
) -> Iterator[Finding]:
    if public and public != data.public:
        fault = f"{pki.key} is not the key of {pki.cert}"
        yield finding.error("pki-key", pki.key_place, fault, "smtpd cannot do TLS with them.")
    yield from _dates(pki, data)
    pairs = product(data.names, wanted)
    if data.names and wanted and not any(_is_like(*pair) for pair in pairs):
        yield finding.warning(
            "pki-names",
            pki.cert_place,
            f"{pki.cert} is for {_some(data.names)}, and not for {_some(wanted)}",
            NO_TLS,
            f"have a certificate made for {sorted(wanted)[0]}",
        )


def _dates(pki: Pki, data: "CertificateData") -> Iterator[Finding]:
    now = datetime.now(UTC)
    if now >= data.ends:
        fault = f"{pki.cert} has ended on {data.ends:%Y-%m-%d}"
        yield finding.warning("pki-expired", pki.cert_place, fault, NO_TLS, "renew it")
    elif now < data.begins:
        fault = f"{pki.cert} begins on {data.begins:%Y-%m-%d}"
        remedy = "take the one before it, or see whether the clock of this machine is right"
        yield finding.warning("pki-early", pki.cert_place, fault, NO_TLS, remedy)
    elif data.ends - now < SOON and data.ends - data.begins > SHORT:
        fault = f"{pki.cert} ends on {data.ends:%Y-%m-%d}, and is not renewed"
        yield finding.warning("pki-expires", pki.cert_place, fault, NO_TLS, "renew it")


def _names_by_pki(server: Server) -> dict[str, set[str]]:
    """Return the pki in use, each with the names of the server that its certificate may be for."""
    conf = server.configuration
    own, _ = mail_name.own_name(server.smtpd)
    used: dict[str, set[str]] = {}
    for listener in conf.listeners:
        for name in listener.pki:
            used.setdefault(name, set())
            told = {each.lower() for each in (listener.hostname, name) if "." in each}
            if told and listener.hostnames is None:  # else a table says what the listener is called
                used[name] |= told | ({own.lower()} if "." in own else set())
    for action in conf.actions.values():
        if action.pki:
            used.setdefault(action.pki, set())
    return used


def _is_like(one: str, other: str) -> bool:
    """Return whether two names are of one domain: users may connect to any of its names."""
    return one.split(".")[-2:] == other.split(".")[-2:]


def _some(names: Collection[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:3]) + (" and others" if found[3:] else "")
