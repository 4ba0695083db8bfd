"""Our package in its next version, and a node that is upgraded to it while it runs."""

import re
import shutil
import zipfile
from pathlib import Path

from lab.fleet.node import Node
from lab.root import inside
from lab.root.plugin import OFFLINE, WHEELS
from lab.root.root import VENV

DISTRIBUTION = "opensmtpd_plugins"


def next_version(wheels: Path, folder: Path) -> Path:
    """Write the wheel of our package into ``folder`` with another version; returns its path."""
    (old,) = wheels.glob(f"{DISTRIBUTION}-*.whl")
    version = old.name.split("-")[1]
    after = f"{version}.post1"
    new = folder / old.name.replace(f"-{version}-", f"-{after}-")
    info = f"{DISTRIBUTION}-{version}.dist-info/"
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
        for entry in source.infolist():
            data, name = source.read(entry), entry.filename
            if name == f"{info}METADATA":
                data = re.sub(rb"(?m)^Version: .*$", f"Version: {after}".encode(), data)
            if name == f"{info}RECORD":
                data = data.replace(info.encode(), info.replace(version, after).encode())
            target.writestr(name.replace(info, info.replace(version, after)), data)
    return new


def upgrade(node: Node, wheel: Path) -> None:
    """Put the package into the place of the old one, under the running plugins, and restart."""
    shutil.copy(wheel, node.view / WHEELS)
    pip = (f"{VENV}/bin/pip", "install", "--quiet", "--no-deps", "--root-user-action=ignore")
    inside.done(node.view, *pip, f"/{WHEELS}/{wheel.name}", extra=OFFLINE)
    node.stop()
    node.server.restart()
