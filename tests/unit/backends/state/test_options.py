"""The option by which an administrator chooses the state, and what is found wrong with it."""

import argparse
from pathlib import Path

import pytest

from opensmtpd.backends.state import options
from opensmtpd.errors import ConfigError

ASKED = "--state names no file, and no server; write a path that begins with '/', redis://HOST,"


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="filter-x")
    parser.add_argument("--check", action="store_true")
    options.add(parser)
    return parser.parse_args(flags)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The arguments of each state that is made: none starts a process here."""
    calls: list[object] = []
    for name in ("memory_state", "file_state", "server_state"):
        monkeypatch.setattr(
            options, name, lambda *each, _name=name, **more: calls.append((_name, *each, more))
        )
    return calls


def test_without_the_option_it_is_in_memory(made: list[object]) -> None:
    assert parse().state is None
    options.state(parse(), "x:")
    assert made == [("memory_state", {})]


def test_a_path_is_a_file_which_is_not_made_by_a_check(made: list[object]) -> None:
    options.state(parse("--state", "/var/x/state.db"), "x:")
    options.state(parse("--state", "/var/x/state.db", "--check"), "x:")
    assert made == [
        ("file_state", "/var/x/state.db", {"new": True}),
        ("file_state", "/var/x/state.db", {"new": False}),
    ]


@pytest.mark.parametrize(
    "url", ["redis://h:6400/1?prefix=a:", "rediss://h", "unix:///run/v.sock", "unix:/run/v.sock"]
)
def test_a_url_is_a_server(made: list[object], url: str) -> None:
    options.state(parse("--state", url), "x:")
    assert made == [("server_state", url, {"prefix": "x:"})]


@pytest.mark.parametrize(
    "where", ["", "state.db", "./state.db", "redi://u:s3cret@h", "http://h", "localhost:6379"]
)
def test_what_is_neither_is_told_and_not_shown(made: list[object], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        options.state(parse("--state", where), "x:")
    assert str(caught.value) == f"{ASKED} rediss://HOST or unix:///PATH"
    assert made == []


def test_a_command_has_another_word_for_it() -> None:
    assert options.is_server("unix:/run/v.sock", "STATE")
    assert not options.is_server("/var/x/state.db", "STATE")
    with pytest.raises(ConfigError, match=r"^STATE names no file, and no server; "):
        options.is_server("redi://u:s3cret@h", "STATE")


def test_a_file_that_cannot_be_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        options.state(parse("--state", f"{tmp_path}/none/state.db"), "x:")
    assert str(caught.value) == (
        f"{tmp_path}/none: no folder for the state; "
        "make it a folder that the filter's user may write to"
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://u:s3cret@h", "put it into a file of the filter's user, and write ?password_file"),
        ("redis://h?prefx=a", "did you mean prefix?"),
        ("redis://h:port", "no URL such as redis://HOST, rediss://HOST or unix:/PATH"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_with_a_remedy(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        options.state(parse("--state", url), "x:")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
