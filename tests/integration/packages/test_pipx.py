"""Our programs by pipx on Debian 13: linked, refused, at work, and taken away again."""

import shutil
from pathlib import Path

import pytest

from lab.peers.nameserver import NameServer
from lab.peers.sink import Sink
from lab.root import inside, namespace, plugin
from lab.root.plugin import LIBEXEC
from lab.root.root import REPLACED
from lab.root.server import Server, ServerError
from lab.shows import demo
from lab.shows.guide import lay_out, records
from lab.support import ALONE, need_stage

pytestmark = ALONE

PLUGINS = (
    "filter-archive",
    "filter-auth",
    "filter-dkimsign",
    "filter-dnsbl",
    "filter-fcrdns",
    "filter-greylist",
    "filter-headers",
    "filter-limit",
    "filter-metrics",
    "filter-milter",
    "filter-rdns",
    "filter-record",
    "filter-rspamd",
    "filter-senderscore",
    "table-dovecot",
    "table-flat",
    "table-ldap",
    "table-mysql",
    "table-passwd",
    "table-postgres",
    "table-record",
    "table-redis",
    "table-socketmap",
    "table-sqlite",
)
IN_C = (
    "opensmtpd-filter-dkimsign",
    *sorted((*REPLACED, "opensmtpd-table-passwd", "opensmtpd-table-sqlite")),
)
LEFT_OUT = {"ldap": "ldap", "mysql": "pymysql", "postgres": "psycopg"}
"""Tables whose extras are not installed, and the library that each lacks."""
LINKED = [name for name in PLUGINS if name.removeprefix("table-") not in LEFT_OUT]
NOTES = [
    f"left out: table-{extra} needs {module}, of the extra {extra}, and would end smtpd"
    for extra, module in LEFT_OUT.items()
]
EXTRAS = "opensmtpd-plugins[dkim,dns,tables,operator]"
GONE = "lost processor: dkimsign exited abnormally"
"""What smtpd dies of without its filter."""
VENV = "/opt/pipx/venvs/opensmtpd-plugins/bin"


class Machine:
    """A Debian with smtpd, the C plugins, pipx, and an index of wheels instead of a network."""

    def __init__(self, root: Path, wheels: Path) -> None:
        self.view = namespace.view(root, "pipx")
        shutil.copytree(wheels, self.view / plugin.WHEELS)
        self.done("apt-get install --yes --no-install-recommends pipx")

    def run(self, command: str) -> tuple[int, str]:
        """Run a command as root; returns its status and all that it says."""
        quick = {"PIP_NO_COMPILE": "1"}  # which takes the longest, and changes nothing here
        said = inside.tried(self.view, "sh", "-c", command, extra=plugin.OFFLINE | quick)
        return said.returncode, (said.stdout + said.stderr).decode()

    def done(self, command: str) -> str:
        """Run a command that must succeed; returns what it says."""
        status, said = self.run(command)
        assert status == 0, f"{command}\n{said}"
        return said

    def libexec(self) -> dict[str, str]:
        """Return what stands where smtpd looks for its plugins, and where links lead."""
        return {
            path.name: str(path.readlink()) if path.is_symlink() else ""
            for path in (self.view / LIBEXEC).iterdir()
        }


def test_from_pipx_to_a_signed_mail_and_back() -> None:
    stage = need_stage("7.6")
    machine = Machine(stage.root, stage.wheels)
    untouched = machine.libexec()

    machine.done("pipx install 'opensmtpd-plugins[operator]'")
    assert machine.run("/root/.local/bin/opensmtpd-plugins install filter-rdns") == (
        1,
        "opensmtpd-plugins: /root: is closed to others, and smtpd runs its plugins as users of"
        " their own; install with pipx install --global, or with pip into a venv below /opt\n",
    )

    machine.done(f"pipx install --global '{EXTRAS}'")
    assert machine.run("opensmtpd-plugins install") == (
        1,
        "".join(f"{note}\n" for note in NOTES)
        + "opensmtpd-plugins: /usr/libexec/opensmtpd: not replaced:"
        " filter-dkimsign (package opensmtpd-filter-dkimsign),"
        " filter-rspamd (package opensmtpd-filter-rspamd),"
        " filter-senderscore (package opensmtpd-filter-senderscore),"
        " table-passwd (package opensmtpd-table-passwd),"
        " table-redis (package opensmtpd-table-redis),"
        " table-socketmap (package opensmtpd-table-socketmap),"
        " table-sqlite (package opensmtpd-table-sqlite);"
        " remove opensmtpd-filter-dkimsign, opensmtpd-filter-rspamd,"
        " opensmtpd-filter-senderscore, opensmtpd-table-passwd,"
        " opensmtpd-table-redis, opensmtpd-table-socketmap, opensmtpd-table-sqlite,"
        " or link only the others:"
        " opensmtpd-plugins install"
        " filter-archive filter-auth filter-dnsbl filter-fcrdns filter-greylist filter-headers"
        " filter-limit filter-metrics filter-milter filter-rdns filter-record table-dovecot"
        " table-flat table-record\n",
    )
    assert machine.libexec() == untouched

    machine.done(f"apt-get purge --yes {' '.join(IN_C)}")
    without = machine.libexec()
    assert machine.done("opensmtpd-plugins install").splitlines() == [
        *NOTES,
        *(f"linked /usr/libexec/opensmtpd/{name} to {VENV}/{name}" for name in LINKED),
        f"now smtpd.conf can name them: {VENV}/filter-archive --help shows how",
    ]
    assert machine.libexec() == without | {name: f"{VENV}/{name}" for name in LINKED}
    assert machine.done("opensmtpd-plugins --quiet install") == ""

    page = "/usr/local/share/man/man8/filter-dkimsign.8"  # where man(1) of Debian looks
    assert ".Dt FILTER-DKIMSIGN 8" in machine.done(f"cat {page}")

    machine.done("useradd --system --no-create-home _dkimsign")
    guide = lay_out(machine.view)
    with NameServer(records(guide)), Sink() as sink:
        with Server(machine.view) as server:
            assert len(server.filters()) == 1
            for scene in (demo.SCENES[1], demo.SCENES[-1]):  # with AUTH, to alice and elsewhere
                assert demo.outcome(scene, guide, sink) == (scene.place, demo.SIGNED)
        assert server.survivors == []

        # The manual warns of this: gone programs, whose links are there.
        machine.done("cp -a /opt/pipx/venvs /opt/kept && pipx uninstall --global opensmtpd-plugins")
        with pytest.raises(ServerError, match=GONE), Server(machine.view):
            pass
        machine.done("cp -aT /opt/kept /opt/pipx/venvs")

    said = machine.done(f"{VENV}/opensmtpd-plugins install --undo")
    assert said.splitlines() == [f"removed /usr/libexec/opensmtpd/{name}" for name in LINKED]
    assert machine.libexec() == without
