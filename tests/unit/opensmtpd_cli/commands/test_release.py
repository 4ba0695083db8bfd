"""``release``: its lines, its exit status, and what it leaves alone."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd.backends.state import existing, steps
from opensmtpd.backends.state.existing import ExistingState
from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore
from opensmtpd.backends.state.results import Kept
from opensmtpd.errors import ServerLost
from opensmtpd.mail.limit.stopped import stop_key
from opensmtpd_cli.system import acting
from unit.support.exchange import NOBODY, theirs
from unit.support.scripted_server import says, scripted
from unit.support.swap import Program, Said

root_alone = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
PONG = b"+PONG\r\n"


@pytest.fixture
def state(place: Path) -> Path:
    """A state in which alice and bob are stopped for a day."""
    path = place / "state.db"
    with closing(StepStore(database.opened(str(path), 1 << 20))) as store:
        for user in ("alice", "bob"):
            store.take(*steps.put(steps.key_of(stop_key(user)), b"", 86400.4))
    return path


def kept(state: Path) -> list[str]:
    """Return those who are stopped."""
    with closing(existing.in_file(str(state))) as found:
        return [user for user in ("alice", "bob") if found.get(stop_key(user)) is not None]


def failed(fault: str) -> Said:
    return Said(3, "", f"opensmtpd-plugins: {fault}\n")


def test_a_user_is_released(run: Program, state: Path) -> None:
    assert run("release", state, "alice") == (
        0,
        "alice: released, 1 day, 0:00:00 before the time\n",
        "",
    )
    assert kept(state) == ["bob"]
    assert run("release", state, "alice") == (1, "alice: was not stopped\n", "")


def test_several_users_each_once_in_any_case(run: Program, state: Path) -> None:
    said = run("--quiet", "release", state, "carol", "ALICE", "Bob", "alice")
    lines = [line.partition(",")[0] for line in said.out.splitlines()]
    assert lines == ["carol: was not stopped", "alice: released", "bob: released"]
    assert (said.status, said.err) == (0, "")
    assert kept(state) == []


def test_a_name_may_hold_anything(run: Program, state: Path) -> None:
    name = os.fsdecode(b"b\xfc\x1b[31mcher")
    assert run("release", state, name) == (1, "b\\xfc[31mcher: was not stopped\n", "")


def test_no_user(run: Program, state: Path) -> None:
    said = run("release", state)
    assert (said.status, said.out) == (2, "")
    assert "Missing argument 'USER...'" in said.err


# --- a file that cannot be used -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none.db", "none/state.db"])
def test_a_file_that_is_not_there(run: Program, place: Path, name: str) -> None:
    assert run("release", place / name, "alice") == failed(
        f"{place}/{name}: there is no such file; name the file that --state of filter-limit names"
    )
    assert list(place.iterdir()) == []


def test_a_file_that_is_no_state(run: Program, place: Path) -> None:
    (place / "users").write_text("alice\n")
    assert run("release", place / "users", "alice") == failed(
        f"{place}/users: is no state of a filter, or is damaged;"
        " name the file that --state of the filter names"
    )


def test_a_file_that_something_else_keeps(
    run: Program, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing, "DEADLINE", 0.01)
    with closing(database.opened(str(state), 1 << 20)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert run("release", state, "alice") == failed(
            f"{state}: another program is using it; try again, or stop what uses it"
        )
        db.execute("ROLLBACK")
    assert kept(state) == ["alice", "bob"]


@pytest.mark.parametrize("text", ["state.db", "", "redi://u:s3cret@h"])
def test_what_names_no_state_is_not_shown(run: Program, text: str) -> None:
    assert run("release", text, "alice") == failed(
        "STATE names no file, and no server;"
        " write a path that begins with '/', redis://HOST, rediss://HOST or unix:///PATH"
    )


# --- files of others ------------------------------------------------------------------------------


@root_alone
def test_root_is_the_owner_meanwhile(
    run: Program, state: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody else has the file open, so that SQLite makes its files anew."""
    theirs(state)
    theirs(place)
    seen: list[str] = []

    def get(self: ExistingState, key: list[str]) -> Kept | None:
        seen.extend(each.name for each in place.iterdir() if each.stat().st_uid != NOBODY)
        seen.append(str(len(list(place.iterdir()))))
        return real(self, key)

    real = ExistingState.get
    monkeypatch.setattr(ExistingState, "get", get)
    assert run("release", state, "alice", "bob").status == 0
    assert seen == ["3", "3"]
    assert [each.stat().st_uid for each in place.iterdir()] == [NOBODY]
    assert os.geteuid() == 0


@root_alone
def test_a_file_in_a_directory_of_somebody_else(run: Program, state: Path, place: Path) -> None:
    """Who may write to it could have put any file of others there."""
    theirs(place)
    assert run("release", state, "alice") == failed(
        f"{state}: belongs to user root; run this as user root"
    )


@root_alone
def test_a_directory_that_a_group_may_write_to(run: Program, state: Path, place: Path) -> None:
    theirs(state)
    place.chmod(0o770)
    assert run("release", state, "alice") == failed(
        f"{place}: root must not open a database where its group or others may write;"
        " run this as the user of filter-limit"
    )


@root_alone
def test_a_link_of_somebody_else_is_not_followed(run: Program, state: Path, place: Path) -> None:
    folder = place / "theirs"
    folder.mkdir()
    (folder / "state.db").symlink_to(state)
    theirs(folder / "state.db")
    theirs(folder)
    said = run("release", folder / "state.db", "alice")
    assert said.status == 3
    assert "state.db is a symbolic link of user nobody, and is not followed" in said.err


def test_who_may_do_it_is_told_to_others(
    run: Program, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = state.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    said = run("release", state, "alice")
    assert said.status == 3
    assert f"{state}: belongs to user " in said.err
    assert said.err.endswith(", or as root\n")
    assert state.stat().st_uid == mine


@root_alone
def test_a_directory_that_may_not_be_entered(run: Program, state: Path, place: Path) -> None:
    place.chmod(0o700)
    with acting.being(NOBODY):
        said = run("release", state, "alice")
    assert said == failed(
        f"{state}: Permission denied; let user nobody enter the directory {place}"
    )


# --- a server -------------------------------------------------------------------------------------


def test_a_user_whom_no_server_knows(run: Program, tmp_path: Path) -> None:
    with scripted(tmp_path / "s", says(PONG, b"$-1\r\n")):
        said = run("release", f"unix://{tmp_path}/s", "alice")
    assert said == (1, "alice: was not stopped\n", "")


def test_a_server_that_is_away(run: Program, tmp_path: Path) -> None:
    assert run("release", f"unix://{tmp_path}/s", "alice") == failed(
        f"unix:{tmp_path}/s: No such file or directory"
    )


def test_what_was_done_before_a_server_broke_is_told(
    run: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(kind: int, key: bytes) -> object:
        if key == steps.key_of(stop_key("bob")):
            raise ServerLost("h:6379: it has closed the connection")
        return [b"", 3_600_000_000] if kind == steps.GET else True

    monkeypatch.setattr(
        existing, "on_server", lambda *_: ExistingState("h:6379", take, lambda: None)
    )
    assert run("release", "redis://h", "alice", "bob", "carol") == (
        3,
        "alice: released, 1:00:00 before the time\n",
        "opensmtpd-plugins: h:6379: it has closed the connection\n",
    )


def test_the_prefix_is_that_of_the_filter(run: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def on_server(*words: object) -> ExistingState:
        asked.extend(words)
        return ExistingState("h", lambda *_: None, lambda: None)

    monkeypatch.setattr(existing, "on_server", on_server)
    assert run("release", "rediss://h", "alice").status == 1
    assert asked == ["rediss://h", "limit:"]


def test_a_url_with_a_password(run: Program) -> None:
    said = run("release", "redis://u:s3cret@h", "alice")
    assert said.status == 3
    assert "a password in a URL is seen by all users of the machine" in said.err
    assert "s3cret" not in said.err
