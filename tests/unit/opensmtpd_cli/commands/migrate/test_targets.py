"""Whole databases: written from another, with their configuration files, or not at all."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.commands.migrate.targets import Counted, Target, place_of, write
from opensmtpd_cli.database import locations
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.database.sqlite import opened, temporary
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

ALIASES = CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,))
HOSTS = CatalogueEntry("hosts", RowKind.LIST, (Service.SOURCE,))
ROWS = [("info", "bob"), ("root", "alice")]


def test_a_copy_of_all_tables(tmp_path: Path) -> None:
    place = locations.parse(str(tmp_path / "new.db"))
    paths = {name: str(tmp_path / f"{name}.conf") for name in ("aliases", "hosts")}
    with temporary() as source:
        source.create_table(ALIASES)
        source.create_table(HOSTS)
        source.fill(ALIASES, ROWS)
        targets = write(place, source, paths, "-", False)
        assert targets == [
            Target(ALIASES, 2, paths["aliases"]),
            Target(HOSTS, 0, paths["hosts"]),
        ]
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert sorted(before) == ["aliases.conf", "hosts.conf", "new.db"]
        assert b"sub_addr_delim -\n" in before["aliases.conf"]
        with pytest.raises(ConfigError, match="is there already"):
            write(place, source, paths, "+", False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with opened(place.path) as store:
        assert list(store.every(ALIASES, "key", "value")) == ROWS


def test_rows_are_counted_as_they_go_by() -> None:
    with temporary() as source:
        source.create_table(ALIASES)
        source.fill(ALIASES, ROWS)
        counted = Counted(source, ALIASES)
        assert list(counted) == ROWS
        assert counted.count == 2


def test_a_row_that_smtpd_would_fail_on_is_not_copied(tmp_path: Path) -> None:
    place = locations.parse(str(tmp_path / "new.db"))
    with temporary() as source:
        source.create_table(ALIASES)
        source.fill(ALIASES, [("info", "bob"), ("odd\n", "x")])
        with pytest.raises(
            ConfigError, match=r"table aliases: odd\\n: a line end or NUL in the key"
        ):
            write(place, source, {"aliases": str(tmp_path / "aliases.conf")}, "+", False)
    assert not list(tmp_path.iterdir())


def test_what_is_replaced_stands_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.db").touch()
    (tmp_path / "link.db").symlink_to("real.db")
    place = locations.parse(str(tmp_path / "link.db"))
    assert place_of(place, force=True) == str(tmp_path / "real.db")
    assert place_of(place, force=False) == str(tmp_path / "link.db")


@pytest.mark.parametrize(
    ("entry", "row", "reason"),
    [
        (ALIASES, ("info", '"alice'), "table aliases: info: a quote that does not end"),
        (HOSTS, ("not-an-address",), "table hosts: not-an-address: "),
    ],
)
def test_a_row_that_no_file_could_have_for_its_service(
    tmp_path: Path, entry: CatalogueEntry, row: tuple[str, ...], reason: str
) -> None:
    place = locations.parse(str(tmp_path / "new.db"))
    with temporary() as source:
        source.create_table(entry)
        source.fill(entry, [row])
        with pytest.raises(ConfigError, match=reason):
            write(place, source, {entry.name: str(tmp_path / "x.conf")}, "+", False)
    assert not list(tmp_path.iterdir())
