"""Our Debian packages on Debian 13 and its next: put in by apt, at work, and taken out again.

Each root has the C programs of three of them, which have to go, and other packages, which have not.
"""

import shutil
from pathlib import Path

import pytest

from lab.peers.nameserver import NameServer
from lab.peers.sink import Sink
from lab.root import namespace
from lab.root.debs import apt, install
from lab.root.inside import done
from lab.root.left import between, look
from lab.root.plugin import TREE
from lab.root.root import REPLACED
from lab.root.server import Server
from lab.shows import demo, moves
from lab.shows.guide import lay_out, records
from lab.support import ALONE, need_stage

OURS = {
    "opensmtpd-filter-dkimsign-py",
    "opensmtpd-filter-auth-py",
    "opensmtpd-filter-dnsbl-py",
    "opensmtpd-filter-greylist-py",
    "opensmtpd-filter-archive-py",
    "opensmtpd-filter-headers-py",
    "opensmtpd-filter-limit-py",
    "opensmtpd-filter-senderscore-py",
    "opensmtpd-filter-metrics-py",
    "opensmtpd-filter-milter-py",
    "opensmtpd-filter-rdns-py",
    "opensmtpd-filter-record-py",
    "opensmtpd-filter-rspamd-py",
    "opensmtpd-plugins",
    "opensmtpd-table-dovecot-py",
    "opensmtpd-table-flat-py",
    "opensmtpd-table-ldap-py",
    "opensmtpd-table-mysql-py",
    "opensmtpd-table-passwd-py",
    "opensmtpd-table-postgres-py",
    "opensmtpd-table-record-py",
    "opensmtpd-table-redis-py",
    "opensmtpd-table-socketmap-py",
    "opensmtpd-table-sqlite-py",
    "python3-opensmtpd",
}
EVERYWHERE = {"opensmtpd-filter-dkimsign", "opensmtpd-table-passwd", "opensmtpd-table-sqlite"}
IN_C = {"7.6": EVERYWHERE | set(REPLACED), "7.9": EVERYWHERE}
"""The programs in C and Go of a root whose places ours take."""
ALONG = {"7.6": {"libhiredis1.1.0"}, "7.9": set[str]()}
"""A library that nobody else needs: autoremove takes it along."""
OF_THE_SERVER = ("var/spool/smtpd", "home/alice/Maildir", "smtpd.log")
"""What a server leaves that has run."""
MOVED = {
    "etc/mail/smtpd.sqlite",
    *(f"etc/mail/{name}.conf" for name in moves.TABLES),
}
"""What the administrator has made who moved to SQLite."""
USER = {f"etc/{name}" for name in ("passwd", "group", "shadow", "gshadow")}
"""Changed by users who stay, as Debian has it: no other user may get its number and its files."""
LOCK = {"etc/.pwd.lock", *(f"{name}-" for name in USER)}
SIGNER = "opensmtpd-filter-dkimsign-py"
KEY = "/etc/mail/dkim/example.org.test.key"

pytestmark = ALONE
everywhere = pytest.mark.parametrize("smtpd", ["7.6", "7.9"])


def fresh(smtpd: str, name: str) -> Path:
    """Return a view of a root."""
    return namespace.view(need_stage(smtpd).root, f"deb-{smtpd}-{name}")


def installed(view: Path) -> set[str]:
    """Return the names of the packages that are installed."""
    shown = done(view, "dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n")
    lines = [line.split() for line in shown.splitlines()]
    return {name for status, name in lines if status == "installed"}


def purge(view: Path) -> None:
    """Take our packages out, and what came along."""
    apt(view, "purge", "--autoremove", *OURS)


def dkim(view: Path) -> tuple[str, ...]:
    """Return mode and owner of the folder of keys, and what is in it."""
    state = done(view, "stat", "--format", "%a %U:%G", "/etc/mail/dkim").strip()
    return (state, *sorted(path.name for path in (view / "etc/mail/dkim").iterdir()))


@everywhere
def test_the_guides_server_and_nothing_left(smtpd: str, debs: Path) -> None:
    view = fresh(smtpd, "guide")
    guide = lay_out(view)
    before, packages, keys = look(view), installed(view), dkim(view)
    diverted = done(view, "dpkg-divert", "--list")
    gone = IN_C[smtpd] | ALONG[smtpd]
    listed = [line[1:] for line in done(view, "dpkg-query", "--listfiles", *gone).split()]
    replaced = {path for path in listed if not (view / path).is_dir()}
    replaced |= {f"usr/share/doc/{name}" for name in gone}
    assert "usr/libexec/opensmtpd/table-sqlite" in replaced
    assert packages >= IN_C[smtpd]

    install(view, debs)
    here = installed(view)
    assert here >= packages - IN_C[smtpd] | OURS
    assert not here & IN_C[smtpd]
    with NameServer(records(guide)), Sink() as sink:
        for move, plugins in ((moves.check, 1), (moves.to_sqlite, 6), (moves.to_filters, 8)):
            move(guide)
            with Server(view) as server:
                for scene in demo.SCENES:
                    outcome = demo.outcome(scene, guide, sink)
                    assert outcome == (scene.place, scene.signature), scene.title
                assert len(server.plugins()) == plugins
            assert server.survivors == []

    purge(view)
    assert installed(view) == packages - gone
    change = between(before, look(view))
    assert {path for path in change.new if not path.startswith(OF_THE_SERVER)} == MOVED
    assert change.gone == replaced
    libraries = {"etc/ld.so.cache"} if ALONG[smtpd] else set()
    assert change.changed - LOCK == {"etc/mail/smtpd.conf"} | USER | libraries
    assert dkim(view) == keys == ("770 _dkimsign:_dkimsign", "private.key")
    assert done(view, "dpkg-divert", "--list") == diverted


@everywhere
def test_a_machine_that_had_none(smtpd: str, debs: Path) -> None:
    view = fresh(smtpd, "fresh")
    done(view, "dpkg", "--purge", *IN_C[smtpd], *ALONG[smtpd])
    before = look(view)

    install(view, debs)
    assert dkim(view) == ("750 root:_dkimsign",)
    (view / KEY[1:]).write_text("a key\n")
    done(view, "chmod", "770", "/etc/mail/dkim")
    kept = ("770 root:_dkimsign", Path(KEY).name)
    apt(view, "install", "--reinstall", f"/debs/{next(debs.glob(f'{SIGNER}_*.deb')).name}")
    assert dkim(view) == kept
    apt(view, "purge", SIGNER)
    assert dkim(view) == kept

    (view / KEY[1:]).unlink()
    install(view, debs, SIGNER)
    purge(view)
    change = between(before, look(view))
    assert change.gone == set()
    assert change.new <= LOCK
    assert change.changed - LOCK == USER
    accounts = [line.split(":") for line in (view / "etc/passwd").read_text().splitlines()[-6:]]
    names = sorted(account[0] for account in accounts)
    assert names == ["_archive", "_auth", "_dkimsign", "_greylist", "_limit", "_metrics"]
    assert all(account[5:] == ["/nonexistent", "/usr/sbin/nologin"] for account in accounts)


@everywhere
def test_debians_own_tests(smtpd: str, debs: Path) -> None:
    view = fresh(smtpd, "tests")
    install(view, debs)
    for script in ("modules", "programs", "server"):
        shutil.copy(TREE / "packaging/debian/tests" / script, view / "tmp")
        done(view, f"/tmp/{script}")


@everywhere
def test_a_package_takes_the_place_of_one_only(smtpd: str, debs: Path) -> None:
    view = fresh(smtpd, "one")
    packages = installed(view)
    install(view, debs, "python3-opensmtpd", "opensmtpd-table-sqlite-py")
    assert installed(view) == packages - {"opensmtpd-table-sqlite"} | {
        "python3-msgpack",
        "python3-opensmtpd",
        "opensmtpd-table-sqlite-py",
    }
    program = "/usr/libexec/opensmtpd/table-sqlite"
    owner = done(view, "dpkg-query", "--search", program).strip()
    assert owner == f"opensmtpd-table-sqlite-py: {program}"
    other = view / "other/DEBIAN"
    other.mkdir(parents=True)
    other.joinpath("control").write_text(
        "Package: other\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\n"
        "Depends: opensmtpd-table-sqlite\nDescription: wants the table\n"
    )
    done(view, "dpkg-deb", "--build", "/other", "/other.deb")
    done(view, "dpkg", "--install", "/other.deb")  # fails where nothing provides it


def test_who_upgrades_or_removes_what_smtpd_runs_is_told(debs: Path) -> None:
    view = fresh("7.6", "told")
    install(view, debs)
    (view / "etc/smtpd.conf").write_text(
        'table aliases flat:/etc/aliases\nfilter "x" proc-exec "filter-fcrdns"\n'
    )

    def told(what: str) -> list[str]:
        said = done(view, "sh", "-c", f"apt-get --yes {what} 2>&1")
        return [line for line in said.splitlines() if "smtpd " in line and "filter-" in line]

    (deb,) = debs.glob("opensmtpd-filter-rdns-py_*.deb")
    restart = "it was before, until it is restarted: systemctl restart opensmtpd"
    again = f"install --reinstall /debs/{deb.name}"
    assert told(again) == [f"smtpd runs filter-fcrdns as {restart}"]
    gone = "smtpd will not start again without it."
    assert told("remove opensmtpd-filter-rdns-py opensmtpd-filter-dnsbl-py") == [
        f"/etc/smtpd.conf names filter-fcrdns: {gone}"
    ]


def test_purging_the_c_filter_takes_the_user_along_who_can_come_back(debs: Path) -> None:
    view = fresh("7.6", "user")
    install(view, debs, "python3-opensmtpd", SIGNER)
    done(view, "id", "_dkimsign")
    apt(view, "purge", "opensmtpd-filter-dkimsign")
    assert "_dkimsign" not in (view / "etc/passwd").read_text()
    done(view, "systemd-sysusers", f"{SIGNER}.conf")  # as README.Debian says
    done(view, "id", "_dkimsign")
