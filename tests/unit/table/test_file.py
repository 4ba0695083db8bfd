"""The file format of table(5)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.table import KEY_MAX
from opensmtpd.table.file import (
    FileKind,
    Row,
    TableFile,
    auth_directive,
    directive,
    lines,
    sandbox_directive,
)


def table(text: bytes) -> TableFile:
    return TableFile(text.splitlines(keepends=True), "t")


def rows(text: bytes) -> list[tuple[str, str | None]]:
    return [(row.key, row.value) for row in table(text)]


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        (b"root: alice", "root", "alice"),
        (b"root alice", "root", "alice"),
        (b"root\talice", "root", "alice"),
        (b"root:alice", "root", "alice"),
        (b"  root:\t alice \t\r", "root", "alice"),
        (b"Root: Alice", "root", "Alice"),
        (b"list: a, b@example.org, |/bin/x -y", "list", "a, b@example.org, |/bin/x -y"),
        (b"list: :include:/etc/mail/list", "list", ":include:/etc/mail/list"),
        (b"alice: $2b$10$abc # no comment", "alice", "$2b$10$abc # no comment"),
        (b"alice : bob", "alice", ": bob"),  # the key ends at the space, the colon is data
        (b"alice::bob", "alice", ":bob"),
        (b": bob", "", "bob"),
        (b"[::1] mail.example.org", "[::1]", "mail.example.org"),
        (b"[2001:DB8::1]:mail.example.org", "[2001:db8::1]", "mail.example.org"),
        (b"[::1]mail", "[::1]", "ail"),  # whatever stands behind the bracket is skipped
        (b"[a b]:c", "[a b]", "c"),
        (b"a\vb c", "a\vb", "c"),  # trimmed like a space at the ends, but no separator
        (b"alice:\vbob", "alice", "\vbob"),
    ],
)  # fmt: skip
def test_a_row_of_a_mapping(line: bytes, key: str, value: str) -> None:
    file = table(line + b"\n")
    assert list(file) == [Row(1, key, value)]
    assert file.kind is FileKind.MAPPING


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b"Example.ORG", "example.org"),
        (b" \t*.example.org \r", "*.example.org"),
        (b"[::1]", "[::1]"),
        (b"10.0.0.0/8", "10.0.0.0/8"),
        (b"@example.org", "@example.org"),
    ],
)
def test_a_row_of_a_list(line: bytes, key: str) -> None:
    file = table(line + b"\n")
    assert list(file) == [Row(1, key, None)]
    assert file.kind is FileKind.LIST


def test_the_first_row_decides_what_the_file_is() -> None:
    assert rows(b"# comment\n\nfirst\nsecond row\nthird: row\n") == [
        ("first", None),
        ("second row", None),
        ("third: row", None),
    ]


@pytest.mark.parametrize("comment", [b"# @list", b"#@list", b" #\t @list \r"])
def test_the_list_comment_decides_too(comment: bytes) -> None:
    assert rows(comment + b"\nsmtp://a:25\nb c\n") == [("smtp://a:25", None), ("b c", None)]


@pytest.mark.parametrize("comment", [b"# @lists", b"# @list x", b"## @list", b"# @LIST", b"@list"])
def test_what_is_no_list_comment(comment: bytes) -> None:
    file = table(comment + b" y\na: b\n")
    assert [row.value for row in file][-1] == "b"


def test_the_list_comment_comes_too_late_below_a_row() -> None:
    assert rows(b"a: b\n# @list\nc: d\n") == [("a", "b"), ("c", "d")]


def test_other_comments_with_an_at_are_directives() -> None:
    file = table(b"# @delimiter +\n#@auth\n# @note  two words \na: b\n# @list\n#@delimiter -\n")
    assert list(file) == [Row(4, "a", "b")]
    assert file.directives == {"delimiter": "-", "auth": "", "note": "two words"}


@pytest.mark.parametrize("comment", [b"# auth", b"@auth", b"# @", b"# x @auth", b"##@auth", b""])
def test_what_is_no_directive(comment: bytes) -> None:
    assert directive(comment) == ("", "")


def test_the_auth_directive() -> None:
    assert auth_directive({}, "t") is None
    assert auth_directive({"auth": ""}, "t") == ""
    assert auth_directive({"auth": "force"}, "t") == "force"
    with pytest.raises(ConfigError, match=r'^t: an unknown argument of @auth; write "# @auth" or'):
        auth_directive({"auth": "yes"}, "t")


def test_rows_know_their_lines_and_come_as_they_stand() -> None:
    assert list(table(b"\n# x\na: 1\n\nA: 2\na: 3")) == [
        Row(3, "a", "1"),
        Row(5, "a", "2"),
        Row(6, "a", "3"),
    ]


def test_a_file_without_rows() -> None:
    file = table(b"\n \t \n# nothing\n")
    assert list(file) == []
    assert file.kind is None


def test_bytes_that_are_no_utf8_survive_and_only_ascii_is_lower_cased() -> None:
    assert rows("ÄB: Ü".encode()) == [("Äb", "Ü")]
    ((key, value),) = rows(b"A\xc4: \xff")
    assert key.encode("utf-8", "surrogateescape") == b"a\xc4"
    assert (value or "").encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"a: b\n\nc\n", 't:3: a row without a value in a mapping; write "key: value", or put'
         ' "# @list" above the rows of a list'),
        (b"a:\n", 't:1: a row without a value in a mapping; write "key: value", or put'
         ' "# @list" above the rows of a list'),
        (b"[::1\n", 't:1: a "[" without its "]"; close the bracket behind the address'),
        (b"# @list\n[::1\n", 't:2: a "[" without its "]"; close the bracket behind the address'),
        (b"a: b\0c\n", "t:1: a NUL byte; table files are text: remove it"),
        (b"k" * 1024 + b": v\n", "t:1: a key of 1024 bytes; smtpd takes 1023: shorten or remove"
         " it"),
        ("\N{EURO SIGN}".encode() * 342, "t:1: a key of 1026 bytes; smtpd takes 1023: shorten or"
         " remove it"),
    ],
)  # fmt: skip
def test_malformed_rows_are_named(text: bytes, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        list(table(text))
    assert str(caught.value) == error


def test_the_longest_key() -> None:
    assert KEY_MAX == 1023
    assert rows(b"k" * 1023 + b": v") == [("k" * 1023, "v")]


def test_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"a\r\nb\nc")
    assert list(lines(str(path))) == [b"a\r\n", b"b\n", b"c"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, fault in (
        (tmp_path / "none", "cannot read it: No such file or directory"),
        (tmp_path, "a directory, not a regular file"),
    ):
        with pytest.raises(ConfigError) as caught:
            list(lines(str(path)))
        assert (caught.value.path, caught.value.message) == (str(path), fault)


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_give_rows_or_one_error(chunks: list[bytes]) -> None:
    file = table(b"\n".join(chunks))
    try:
        found = list(file)
    except ConfigError as error:
        assert error.line is not None  # noqa: PT017  either way is right
        return
    for row in found:
        assert (row.value is None) == (file.kind is FileKind.LIST)
        assert row.value != ""


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), max_size=20)


@given(st.dictionaries(PLAIN.filter(lambda key: not key.startswith(("#", "["))), PLAIN))
def test_a_mapping_that_was_written_is_read_back(mapping: dict[str, str]) -> None:
    def kept(text: str) -> bool:
        return text == text.strip(" \t\n\v\f\r") and not set(text) & set(" \t:")

    wanted = [(key, value) for key, value in mapping.items() if kept(key) and kept(value) and value]
    text = "".join(f"{key}: {value}\n" for key, value in wanted).encode()
    lowered = [(key.encode().lower().decode(), value) for key, value in wanted]
    assert [(row.key, row.value) for row in TableFile(text.split(b"\n"), "t")] == lowered


def test_the_sandbox_directive() -> None:
    assert sandbox_directive({}, "t")
    assert sandbox_directive({"sandbox": "yes"}, "t")
    assert not sandbox_directive({"sandbox": "no"}, "t")
    with pytest.raises(ConfigError, match="sandbox no"):
        sandbox_directive({"sandbox": ""}, "t")
