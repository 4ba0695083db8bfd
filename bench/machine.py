"""Says on which machine something was measured, and which versions of the programs."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

from lab.root import stage
from lab.root.inside import CHROOT
from lab.root.plugin import TREE

SMTPD = "7.6"
PACKAGES = ("opensmtpd*", "python3.??", "libssl3*", "libsqlite3-0")
"""Of Debian, whose versions are told."""
LIBRARIES = ("aiodns", "cryptography", "msgpack", "psycopg", "pycares", "pymysql")
"""Of Python, installed with ours."""


def machine() -> dict[str, str]:
    """Return what is known of this machine."""
    cpu = re.search(r"(?m)^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text())
    kib = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "CPU": cpu[1] if cpu else platform.machine(),
        "processors": str(os.cpu_count()),
        "memory": f"{int(kib[1]) >> 20} GiB" if kib else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of the programs in the root of Debian 13, and the commit of this tree."""
    prepared = stage.stages()[SMTPD]
    form = "${Package} ${Version} ${db:Status-Status}\n"
    query = [CHROOT, str(prepared.root), "dpkg-query", "-W", "-f", form, *PACKAGES]
    told = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    lines = (line.split() for line in told.splitlines() if line.endswith(" installed"))
    wheels = (path.name.split("-") for path in sorted(prepared.wheels.glob("*.whl")))
    libraries = {name: version for name, version, *_ in wheels if name in LIBRARIES}
    debian = {name: version for name, version, _ in lines}
    return {"opensmtpd-plugins": commit(), **libraries, **debian}


def busy(seconds: float = 1.0) -> float:
    """Return the share of the processors' time that was used in the next seconds."""
    idle, whole = _ticks()
    time.sleep(seconds)
    later_idle, later = _ticks()
    return 1 - (later_idle - idle) / max(1, later - whole)


def _ticks() -> tuple[int, int]:
    """Return the ticks in which the processors had nothing to do, and all ticks."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def commit() -> str:
    """Return the commit of this tree, "+" behind it where files differ."""
    git = ["git", "-c", f"safe.directory={TREE}", "describe", "--always", "--dirty=+"]
    done = subprocess.run(git, cwd=TREE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
