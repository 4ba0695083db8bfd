"""Debian roots with OpenSMTPD inside, built once by debootstrap and kept in a cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = Path("/var/cache/opensmtpd-plugins")
MIRROR = "http://deb.debian.org/debian"
VENV = "/opt/opensmtpd-plugins"
"""The virtual environment inside each root, empty until a run installs our package."""

COMMON = (
    "opensmtpd",
    "opensmtpd-filter-dkimsign",
    "opensmtpd-table-passwd",
    "opensmtpd-table-sqlite",
    "python3",
    "python3-venv",
    "iproute2",
    "ca-certificates",  # 7.9 dies at start without it
    "openssl",
    "systemd-standalone-sysusers",  # in the place of systemd, which every machine has
)

BEFORE_TABLES = tuple(name for name in COMMON if not name.startswith("opensmtpd-table-"))
"""Before smtpd 7.6, tables are programs of another protocol, in another package."""

NO_SERVICES = b"#!/bin/sh\nexit 101\n"
"""policy-rc.d: packages start no services."""

AT_HAND = (
    "patch",
    "pipx",
    "python3-aiodns",
    "python3-argon2",
    "python3-bcrypt",
    "python3-click",
    "python3-cryptography",
    "python3-dnspython",
    "python3-msgpack",
    "python3-passlib",
    "python3-psycopg",
    "python3-pymysql",
    "python3-rich",
)
"""What our packages depend on, and what an administrator installs beside them: downloaded and not
installed, for apt can fetch nothing in the private network."""


class RootError(Exception):
    """A root could not be built: the text says why and where the log is."""


@dataclass(frozen=True)
class Recipe:
    """How to build one root."""

    smtpd: str
    """Version of smtpd in it: "7.6"."""
    suite: str
    """Debian suite."""
    python: str
    """Version of its Python: "3.13"."""
    packages: tuple[str, ...]
    script: str
    """debootstrap script: an older debootstrap knows no forky, but sid is built alike."""
    later: tuple[str, ...] = ()
    """Packages that apt installs when the root is there: their scripts want more than debootstrap
    has at that time."""

    @property
    def folder(self) -> Path:
        """Where the finished root stands; another recipe has another folder."""
        digest = hashlib.sha256(repr((self, AT_HAND, MIRROR, VENV)).encode()).hexdigest()[:12]
        return CACHE / f"root-{self.suite}-{digest}"


DOVECOT = ("dovecot-lmtpd", "dovecot-sieve")
"""A server that smtpd delivers to over LMTP, and what files mail by rules there."""
SERVERS = ("ldap-utils", "mariadb-server", "postgresql", "slapd", "valkey-server")
"""Servers that hold the rows of tables, each with what its package makes: an empty database."""
TABLES = tuple(
    f"opensmtpd-table-{name}" for name in ("ldap", "mysql", "postgres", "redis", "socketmap")
)
"""The programs in C that ask them."""
REPLACED = ("opensmtpd-filter-rspamd", "opensmtpd-filter-senderscore", *TABLES)
"""The packages of others, besides those of COMMON, whose programs have the names of ours."""
SPAM = ("opensmtpd-filter-rspamd", "rspamd")
"""The server that judges messages, and the filter in Go that asks it."""
MILTERS = (
    "clamav-daemon",
    "clamav-milter",
    "milter-greylist",
    "opendkim",
    "opendkim-tools",
    "opendmarc",
    "spamass-milter",
    "spamassassin",
    "spamd",
)
"""Milters, and the servers that two of them ask; without signatures of viruses."""
GREYLISTING = ("postgrey",)
"""A server that Postfix asks, with the lists of whom it spares."""
BANNING = ("fail2ban",)
"""A program that reads logs, and bans the clients that they tell of."""
LIBRARIES = ("python3-ldap",)
"""Libraries that PyPI has no wheels of: the virtual environment of a root sees the system's."""

TRIXIE = Recipe(
    "7.6",
    "trixie",
    "3.13",
    (*COMMON, "opensmtpd-filter-senderscore", *DOVECOT),
    "trixie",
    (*SERVERS, *TABLES, *SPAM, *MILTERS, *GREYLISTING, *BANNING, *LIBRARIES),
)
FORKY = Recipe("7.9", "forky", "3.14", COMMON, "sid", LIBRARIES)
BOOKWORM = Recipe("6.8", "bookworm", "3.11", BEFORE_TABLES, "bookworm")
RECIPES = {recipe.smtpd: recipe for recipe in (BOOKWORM, TRIXIE, FORKY)}


@contextmanager
def cache_lock() -> Iterator[None]:
    """Hold the cache: two runs at once build nothing twice."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def building(final: Path) -> Iterator[Path]:
    """Make ``final`` whole or not at all: yields a new folder, which gets that name at the end.

    An interrupted build leaves no half of one; what a killed one left is swept up by the next. Call
    it with ``cache_lock`` held.
    """
    for stale in CACHE.glob("building-*"):  # the lock says that nobody builds
        shutil.rmtree(stale)
    folder = Path(tempfile.mkdtemp(prefix="building-", dir=CACHE))
    folder.chmod(0o755)
    try:
        yield folder
        folder.rename(final)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def ensure(recipe: Recipe) -> Path:
    """Return the root of ``recipe``, building it where the cache has none.

    Call it with ``cache_lock`` held. Raises RootError.
    """
    if not recipe.folder.is_dir():
        what = f"a Debian {recipe.suite} with smtpd {recipe.smtpd}"
        print(f"lab: building {what} in {recipe.folder} (a minute or two, once)", flush=True)
        start = time.monotonic()
        with building(recipe.folder) as folder:
            _build(recipe, folder)
        print(f"lab: built it in {time.monotonic() - start:.0f} s", flush=True)
    return recipe.folder


def loaded(root: Path, program: str) -> list[str]:
    """Return how a program of ``root`` (a path below it) is started outside of it.

    It comes by its own loader, so that it sees its own libraries and our files.
    """
    loader = next(root.glob("usr/lib*/ld-linux-*.so.*"))
    libraries = next(root.glob("usr/lib/*-linux-gnu*"))
    return [str(loader), "--library-path", str(libraries), str(root / program)]


def _build(recipe: Recipe, folder: Path) -> None:
    log = CACHE / f"build-{recipe.suite}.log"
    script = f"/usr/share/debootstrap/scripts/{recipe.script}"
    packages = ",".join(recipe.packages)
    install = ["chroot", str(folder), "apt-get", "install", "--yes", "--no-install-recommends"]
    steps = [
        ["debootstrap", "--variant=minbase", f"--include={packages}", recipe.suite, str(folder),
         MIRROR, script],
        ["install", "-m", "755", "/dev/stdin", f"{folder}/usr/sbin/policy-rc.d"],
        [*install, *recipe.later],
        ["chroot", str(folder), "apt-get", "clean"],
        [*install, "--download-only", *AT_HAND],
        ["chroot", str(folder), "python3", "-m", "venv", "--system-site-packages", VENV],
    ]  # fmt: skip
    path = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",  # the databases that packages make are in UTF-8 then
        "DEBIAN_FRONTEND": "noninteractive",
    }
    proxies = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    with open(log, "wb") as out:
        for step in steps:
            done = subprocess.run(
                step, input=NO_SERVICES, stdout=out, stderr=out, env=path | proxies,
                check=False,
            )  # fmt: skip
            if done.returncode:
                raise RootError(f"{step[0]} for {recipe.suite} failed; see {log}")
