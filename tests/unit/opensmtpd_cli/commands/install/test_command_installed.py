"""The plugins that belong to this installation."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from opensmtpd_cli.commands.install import command as install
from unit.support.swap import Program


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="pip has not installed this tree")
def test_the_programs_of_this_installation() -> None:
    found = install.installed()
    assert set(found) == {
        *("filter-archive", "filter-auth", "filter-dkimsign", "filter-dnsbl", "filter-fcrdns"),
        *("filter-greylist", "filter-headers", "filter-limit", "filter-metrics", "filter-milter"),
        *("filter-rdns", "filter-record", "filter-rspamd", "filter-senderscore"),
        *("table-dovecot", "table-flat", "table-ldap", "table-mysql", "table-passwd"),
        *("table-postgres", "table-record", "table-redis", "table-socketmap", "table-sqlite"),
    }
    for name, path in found.items():
        said = subprocess.run([path, "--version"], capture_output=True, timeout=120, check=True)
        assert said.stdout.startswith(name.encode() + b" (opensmtpd-plugins ")


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("arguments", [(), ("--undo",)])
def test_an_installation_by_a_package(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: bool, arguments: str
) -> None:
    """A package may have pip's record, with names that the programs do not have in it."""
    about = tmp_path / "python3" / "dist-packages" / "opensmtpd_plugins-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Name: opensmtpd-plugins\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[console_scripts]\nfilter-rdns = a:b\n")
    if record:
        (about / "RECORD").write_text("../scripts/filter-rdns,,\n")
    distribution = metadata.Distribution.at(about)
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: distribution)
    said = run("install", *arguments)
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        "opensmtpd-plugins: pip has not installed this command, nor any programs;"
        " packages put them where smtpd looks for them: there is nothing to do\n"
    )
