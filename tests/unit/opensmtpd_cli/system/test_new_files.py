"""New files, through ``import``: all get their names or none, and the replaced ones stay whole."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opensmtpd_cli.commands.migrate import import_
from opensmtpd_cli.system import users
from opensmtpd_cli.system.new_files import NewFiles
from unit.support.swap import Program, guide, listing, rows


def failing(monkeypatch: pytest.MonkeyPatch, name: str, path: Path, error: BaseException) -> None:
    """Have a function of ``os`` fail for a file that is to be called ``path``."""
    original: Callable[..., None] = getattr(os, name)

    def some(here: str, there: str, **options: Any) -> None:
        if path.name in (here, there) and not here.endswith(".old"):
            raise error
        original(here, there, **options)

    monkeypatch.setattr(os, name, some)


@pytest.mark.parametrize("function", ["link", "replace"])
@pytest.mark.parametrize("name", ["smtpd.sqlite", "hosts.conf", "users.conf"])
def test_all_or_nothing(
    run: Program, old: Path, db: Path, monkeypatch: pytest.MonkeyPatch, function: str, name: str
) -> None:
    before = listing(db.parent)
    failing(monkeypatch, function, db.parent / name, OSError(16, "Device or resource busy", "tmp"))
    said = run("import", "--force", old, db)
    assert (said.status, said.out) == (1, "")
    assert said.err == f"opensmtpd-plugins: {db.parent}/{name}: Device or resource busy\n"
    assert listing(db.parent) == before
    monkeypatch.undo()
    assert run("import", "--force", old, db).status == 0
    assert len(listing(db.parent)) == 6


def test_new_files_go_away_again(
    run: Program, old: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(db.parent)
    failing(monkeypatch, "link", db.parent / "relayaddr.conf", OSError(28, "No space left"))
    said = run("import", "--force", old, db)
    assert said.err == f"opensmtpd-plugins: {db.parent}/relayaddr.conf: No space left\n"
    assert listing(db.parent) == before


def test_an_interrupt_in_between(
    run: Program, old: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(db.parent)
    failing(monkeypatch, "replace", db.parent / "users.conf", KeyboardInterrupt())
    assert run("import", "--force", old, db).status == 1
    assert listing(db.parent) == before


def test_nothing_is_left_where_a_file_cannot_get_its_name(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def some(old: str, new: str, **options: Any) -> None:
        if new == "hosts.conf":
            raise OSError(28, "No space left on device")
        link(old, new, **options)

    monkeypatch.setattr(os, "link", some)
    said = run("import", guide(mail), db)
    assert (said.status, said.out) == (1, "")
    assert said.err == f"opensmtpd-plugins: {db.parent}/hosts.conf: No space left on device\n"
    assert listing(db.parent) == {}


def test_nothing_is_left_by_an_interrupt(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_, "fill", interrupt)
    assert run("import", guide(mail), db).status == 1
    assert listing(db.parent) == {}


@pytest.mark.parametrize(
    ("name", "precious"),
    [("smtpd.sqlite", b""), ("users.conf", b"precious")],
)
def test_what_exists_is_replaced_with_force_only(
    run: Program, mail: Path, db: Path, name: str, precious: bytes
) -> None:
    conf = guide(mail)
    there = db.parent / name
    there.write_bytes(precious)
    said = run("import", conf, db)
    assert said.status == 1
    remedy = "remove it, choose another place, or replace it with --force"
    assert said.err == f"opensmtpd-plugins: {there}: is there already; {remedy}\n"
    assert listing(db.parent) == {name: precious}
    assert run("import", "--force", conf, db).status == 0
    assert len(listing(db.parent)) == 6
    assert rows(db, "users") == [("alice", "alice@example.com")]


def test_a_dangling_link_is_something_that_exists(run: Program, mail: Path, db: Path) -> None:
    db.symlink_to(mail / "elsewhere")
    assert "is there already" in run("import", guide(mail), db).err


@pytest.mark.parametrize("options", [[], ["--config-dir", "/nowhere/at/all"]])
def test_a_directory_that_is_not_there(
    run: Program, mail: Path, tmp_path: Path, options: list[str]
) -> None:
    place = tmp_path / "none" / "db" if not options else tmp_path / "db" / "db"
    said = run("import", *options, guide(mail), place)
    assert said.status == 1
    assert "there is no such directory" in said.err
    assert listing(tmp_path / "db") == {}


def test_a_database_called_as_a_configuration_file(run: Program, mail: Path, db: Path) -> None:
    said = run("import", guide(mail), db.parent / "users.conf")
    assert said.status == 1
    assert f"{db.parent}/users.conf: two files would be called so; rename one" in said.err
    assert listing(db.parent) == {}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.usefixtures("mine")
def test_what_is_replaced_keeps_its_mode(run: Program, old: Path, db: Path) -> None:
    db.chmod(0o604)
    (db.parent / "users.conf").chmod(0o600)
    said = run("import", "--force", old, db)
    assert f"{db}: readable for everybody\n" in said.err
    assert mode(db) == 0o604
    assert mode(db.parent / "users.conf") == 0o600
    assert mode(db.parent / "aliases.conf") == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_is_replaced_keeps_its_owner(run: Program, old: Path, db: Path) -> None:
    os.chown(db, 12345, 23456)
    assert run("import", "--force", old, db).status == 0
    assert (db.stat().st_uid, db.stat().st_gid) == (12345, 23456)


def test_the_database_behind_a_link_is_replaced(run: Program, old: Path, db: Path) -> None:
    real = old.parent / "real"
    db.rename(real)
    db.symlink_to(real)
    assert run("import", "--force", old, db).status == 0
    assert db.is_symlink()
    assert rows(real, "users") == [("alice", "alice@example.com")]
    text = (db.parent / "users.conf").read_text(encoding="ascii")
    assert text.splitlines()[1] == f"dbpath {db}"


def test_other_links_are_not_followed(run: Program, old: Path, db: Path) -> None:
    conf = db.parent / "users.conf"
    (old.parent / "real").write_bytes(conf.read_bytes())
    conf.unlink()
    conf.symlink_to(old.parent / "real")
    before = listing(db.parent)
    said = run("import", "--force", old, db)
    assert f"{conf}: is no regular file, and is not replaced" in said.err
    assert listing(db.parent) == before


def test_a_commit_that_fails_leaves_what_was_replaced(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")

    def commit() -> None:
        assert (tmp_path / "old").read_bytes() == b"new"
        assert (tmp_path / "other").exists()
        raise KeyError("the server is gone")

    with NewFiles(force=True) as files:
        for name in ("old", "other"):
            with files.new(str(tmp_path / name), users.give_to_all) as file:
                file.write(b"new")
        with pytest.raises(KeyError, match="the server is gone"):
            files.place(commit=commit)
    assert listing(tmp_path) == {"old": b"old"}
