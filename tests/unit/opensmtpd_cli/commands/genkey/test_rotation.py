"""The next selector, and the text of a key table with a line more."""

import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys import key_table
from opensmtpd_cli.commands.genkey import rotation
from opensmtpd_cli.commands.genkey.rotation import Succession, added, following, line
from unit.support.dkim_material import ED25519_PEM, RSA_PEM


@pytest.fixture
def table(tmp_path: Path) -> str:
    """The path of a table beside two keys."""
    (tmp_path / "rsa").write_text(RSA_PEM)
    (tmp_path / "ed").write_text(ED25519_PEM)
    return str(tmp_path / "table")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("mail", ["mail2", "mail3", "mail4"]),
        ("s1", ["s2", "s3", "s4"]),
        ("2026", ["2027", "2028", "2029"]),
        ("01", ["02", "03", "04"]),
        ("k099", ["k100", "k101", "k102"]),
        ("k99", ["k100", "k101", "k102"]),
        ("0", ["1", "2", "3"]),
        ("s1.mail", ["s1.mail2", "s1.mail3", "s1.mail4"]),
        ("2026-11", ["2026-12", "2026-13", "2026-14"]),
    ],
)
def test_the_selectors_that_follow(selector: str, expected: list[str]) -> None:
    assert list(itertools.islice(following(selector), 3)) == expected


# --- whom it follows --------------------------------------------------------------------------


def found(table: str, text: str, algorithm: str | None = None) -> Succession:
    return rotation.succession(text, table, "example.com", algorithm)


def test_the_newest_of_the_domain_stands_last(table: str) -> None:
    text = "example.com a rsa\nexample.org b rsa\nExample.COM c rsa\nexample.net d rsa\n"
    result = found(table, text)
    assert result.algorithm == "rsa-sha256"
    assert [entry.selector for entry in result.old] == ["a", "c"]
    assert (result.newest.selector, result.newest.line) == ("c", 3)


def test_the_newest_of_an_algorithm(table: str) -> None:
    text = "example.com a rsa\nexample.com b ed\nexample.com c rsa rsa-sha256\n"
    result = found(table, text, "ed25519-sha256")
    assert [entry.selector for entry in result.old] == ["b"]
    assert result.newest.selector == "b"
    assert len(result.entries) == 3


def test_an_algorithm_that_no_key_has(table: str) -> None:
    result = found(table, "example.com a rsa\n", "ed25519-sha256")
    assert (result.old, result.newest.selector, result.algorithm) == ([], "a", "ed25519-sha256")


def test_several_algorithms_and_none_is_named(table: str) -> None:
    with pytest.raises(ConfigError) as caught:
        found(table, "example.com a rsa\nexample.com b ed\n")
    assert str(caught.value) == (
        f"{table}:2: example.com has keys for rsa-sha256 and ed25519-sha256;"
        " say with --algorithm which one is to have a successor"
    )


def test_no_line_of_the_domain(table: str) -> None:
    with pytest.raises(ConfigError) as caught:
        found(table, "mail.example.com a rsa\n")
    assert str(caught.value) == (
        f"{table}: no line for example.com; make its first key without --rotate, and write the"
        " line yourself"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("example.com a none\n", r"table:1: .*/none: cannot read it: No such file"),
        ("example.com a rsa\nx\n", "table:2: 1 words where 3 or 4 belong"),
        ("example.com a table\n", "table:1: .*/table: not a key in PEM"),
        ("", "no key in the key table"),
    ],
)
def test_a_table_that_the_filter_would_not_take(table: str, text: str, reason: str) -> None:
    Path(table).write_text(text)
    with pytest.raises(ConfigError, match=reason):
        found(table, text)


# --- its name and its file --------------------------------------------------------------------


def chosen(
    table: str, text: str, selector: str | None = None, key: str | None = None
) -> tuple[str, str, str]:
    return rotation.successor(found(table, text), table, text, selector, key)


def test_the_file_is_beside_the_old_one(table: str, tmp_path: Path) -> None:
    place = str(tmp_path)
    name = "example.com.a2.key"
    assert chosen(table, "example.com a rsa\n") == ("a2", name, f"{place}/{name}")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "rsa").write_text(RSA_PEM)
    text = "example.com a keys/rsa\n"
    assert chosen(table, text) == ("a2", f"keys/{name}", f"{place}/keys/{name}")
    text = f"example.com a {place}/rsa\n"
    assert chosen(table, text) == ("a2", f"{place}/{name}", f"{place}/{name}")
    assert chosen(table, text, key="/k") == ("a2", "/k", "/k")


def test_what_is_taken_is_passed_over(table: str, tmp_path: Path) -> None:
    """In the table, in any case; and as a file, even of one that leads nowhere."""
    text = "example.com a5 rsa\nexample.com A3 rsa\nexample.org a3 rsa\nexample.com a2 rsa\n"
    assert chosen(table, text)[0] == "a4"
    (tmp_path / "example.com.a4.key").symlink_to("nowhere")
    assert chosen(table, text)[0] == "a6"
    assert chosen(table, text, key="/k")[0] == "a4"


def test_a_selector_of_ones_own(table: str, tmp_path: Path) -> None:
    text = "example.com a rsa\n"
    assert chosen(table, text, "b")[:2] == ("b", "example.com.b.key")
    with pytest.raises(ConfigError, match="table: selector A is taken; choose another, or leave"):
        chosen(table, text, "A")


def test_a_selector_that_can_have_no_next(table: str) -> None:
    with pytest.raises(ConfigError, match="is no selector: 64 bytes between two dots"):
        chosen(table, f"example.com {'a' * 63} rsa\n")


@pytest.mark.parametrize("key", ["/a b", "/a\u00a0b", "/a\nb", "/\udce4"])
def test_a_path_that_no_table_can_hold(table: str, key: str) -> None:
    with pytest.raises(ConfigError, match="a key table cannot name it"):
        chosen(table, "example.com a rsa\n", key=key)


# --- the line ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("example.com a rsa", "example.com a2 F"),
        ("  Example.com\ta   rsa \t", "  Example.com\ta2   F"),
        ("example.com a rsa  rsa-sha256 ", "example.com a2 F  rsa-sha256"),
    ],
)
def test_it_is_set_like_its_predecessor(table: str, old: str, new: str) -> None:
    assert line(found(table, f"#\n{old}\n"), f"#\n{old}\n", "a2", "F") == new


def test_another_algorithm_is_written_where_one_was(table: str) -> None:
    text = "example.com a rsa rsa-sha256"
    assert line(found(table, text, "ed25519-sha256"), text, "b", "k") == (
        "example.com b k ed25519-sha256"
    )


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        ("a\nb\n", 1, "a\nX\nb\n"),
        ("a\nb\n", 2, "a\nb\nX\n"),
        ("a\nb", 2, "a\nb\nX"),
        ("a", 1, "a\nX"),
        ("a\r\nb\r\n", 1, "a\r\nX\r\nb\r\n"),
        ("a\r\nb", 2, "a\r\nb\r\nX"),
        ("a\rb\n", 1, "a\rX\rb\n"),
    ],
)
def test_a_line_more(text: str, number: int, expected: str) -> None:
    assert added(text, number, "X") == expected


NAMES = st.from_regex(r"[a-c]{1,2}[0-9]{0,2}", fullmatch=True)
BLANKS = st.text(" \t\u00a0\x1f", min_size=1, max_size=2)
ENTRIES = st.tuples(
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from(["example.com", "EXAMPLE.com", "example.org"]),
    BLANKS, NAMES, BLANKS, st.sampled_from(["k", "dir/k", "/k", "ü"]),
    st.sampled_from(["", " rsa-sha256", "\ted25519-sha256 ", " "]),
).map("".join)  # fmt: skip
LINES = st.one_of(ENTRIES, st.sampled_from(["", "# example.com a k", " \t", "#"]))
TABLES = st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\r"])), max_size=6)


@given(TABLES, st.sampled_from(["", "example.com last k"]))
@example([], "example.com last k")
def test_the_table_keeps_every_byte_and_says_one_thing_more(
    rows: list[tuple[str, str]], last: str
) -> None:
    text = "".join(row + end for row, end in rows) + last
    try:
        before = list(key_table.entries(text, "/t"))
    except ConfigError:
        return  # twice the same, or nothing at all
    ours = [entry for entry in before if entry.name[0] == "example.com"]
    if not ours:
        return
    result = Succession(ours, ours[:1], "rsa-sha256")
    written = line(result, text, "new", "/new")
    number = ours[-1].line
    new = added(text, number, written)
    at = new.index(written)
    end = len(new) - len(text) - len(written)
    assert new[at - end : at] in ("\n", "\r\n", "\r")
    assert new[: at - end] + new[at + len(written) :] == text
    after = list(key_table.entries(new, "/t"))
    assert [entry for entry in after if entry.selector != "new"] == [
        entry if entry.line <= number else entry._replace(line=entry.line + 1) for entry in before
    ]
    [more] = [entry for entry in after if entry.selector == "new"]
    assert (more.line, more.name, more.file) == (number + 1, ("example.com", "new"), "/new")
    assert more.algorithm in (None, "rsa-sha256")
