"""The words of smtpd.conf."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd_cli.smtpdconf import lexer as conf_lexer
from opensmtpd_cli.smtpdconf.lexer import Lexer, Token, written

M = {"m": "x y", "n": "file:/etc", "e": "", "d": "$m", "q": '"a b"', "h": "# a"}


def lex(text: bytes, **files: bytes) -> list[Token]:
    content = {"f": text} | files
    lexer = Lexer("f", content.__getitem__)
    lexer.macros |= M
    tokens = []
    while (token := lexer.token()).kind != conf_lexer.END:
        tokens.append(token)
    return tokens


def words(text: bytes) -> list[str]:
    """Return the words, without the line end that smtpd adds to every file."""
    tokens = lex(text)
    assert tokens.pop().kind == conf_lexer.NEWLINE
    return [token.text for token in tokens]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"table x file:/etc/x", ["table", "x", "file:/etc/x"]),
        (b"a\tb{c,d}<e>", ["a", "b", "{", "c", ",", "d", "}", "<", "e", ">"]),
        (b"a=b=>c = > d", ["a", "=", "b", "=>", "c", "=", ">", "d"]),
        (b"a # b", ["a"]),
        (b"a#b", ["a"]),
        (b"# a \\\nb", []),  # a comment goes on, too
        (b"a \\\n b", ["a", "b"]),
        (b"a\\\nb", ["ab"]),
        (b"a\\ b", ["a", "b"]),  # what is behind a backslash means what it always means
        (b'\\"a b"', ["a b"]),
        (b"a\\\\b", ["a\\b"]),
        (b'a"b', ['a"b']),
        (b'"a b" \'c "d\'', ["a b", 'c "d']),
        (b'"a\\"b\\ c\\\td\\e\\\\f"', ['a"b c\td\\e\\\\f']),
        (b"'a\\\"b'", ['a\\"b']),
        (b'"a\nb\\\nc"', ["abc"]),
        (b'"" x', ["", "x"]),
        (b"10.0.0.0/8 10/8 1,2a", ["10.0.0.0/8", "10", "/", "8", "1", ",", "2a"]),
        (b"-5 -a", ["-5", "-", "a"]),
        (b"*.a @a [::1]", ["*", ".", "a", "@", "a", "[", "::1]"]),
        (b"_x :y", ["_x", ":y"]),
        (b"\xc3\xbc \"\xc3\xbc\"", ["\udcc3", "\udcbc", "ü"]),
        (b'"\xff"', ["\udcff"]),
        (b"\1a\2b", ["ab"]),
    ],
)  # fmt: skip
def test_words(text: bytes, wanted: list[str]) -> None:
    assert words(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"$m", ["x", "y"]),
        (b"$n/aliases", ["file:/etc/aliases"]),  # a word goes on behind the macro
        (b"$m:z", ["x", "y:z"]),
        (b"a$m", ["a$m"]),
        (b'"$m"', ["$m"]),
        (b"{$m}", ["{", "x", "y", "}"]),
        (b"$e a$e $e", ["a$e"]),
        (b"$d", ["$", "m"]),  # nothing in a macro is expanded again
        (b"$q", ["a b"]),
        (b"a $h b", ["a"]),
    ],
)
def test_macros_are_text(text: bytes, wanted: list[str]) -> None:
    assert words(text) == wanted


def test_kinds() -> None:
    tokens = lex(b'table "table" x 25 => <\n')
    assert [token.kind for token in tokens] == [
        "keyword", "word", "word", "number", "=>", "<", "newline", "newline",
    ]  # fmt: skip


def test_where_words_stand() -> None:
    text = b'a\n "b c" \\\n $m d'
    places = [(token.text, token.line, text[token.start : token.end]) for token in lex(text)]
    assert places == [
        ("a", 1, b"a"),
        ("\n", 1, b"\n"),
        ("b c", 2, b'"b c"'),
        ("x", 3, b"$m"),
        ("y", 3, b"$m"),
        ("d", 3, b"d"),
        ("\n", 3, b""),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (b'a\n"b\nc', 2, 'a string that begins with " and does not end'),
        (b"a 'b\"", 1, "a string that begins with ' and does not end"),
        (b'"a\\', 1, 'a string that begins with " and does not end'),
        (b"\n\n$nope", 3, "macro 'nope' is not defined"),
        (b"$ m", 1, "macro '' is not defined"),
        (b"a\n\0", 2, "a NUL byte"),
        (b'"\0"', 1, "a string that smtpd cannot read"),
        (b"a" * 8096, 1, "a word that is too long for smtpd"),
        (b'"' + b"a" * 8095 + b'"', 1, "a string that smtpd cannot read"),
    ],
)
def test_what_smtpd_refuses(text: bytes, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        lex(text)
    assert (caught.value.path, caught.value.line, caught.value.message) == ("f", line, message)


def test_the_longest_string() -> None:
    assert words(b'"' + b"a" * 8094 + b'"') == ["a" * 8094]


def test_an_included_file_comes_in_between() -> None:
    lexer = Lexer("f", {"f": b"g a", "g": b"b"}.__getitem__)
    lexer.include(lexer.token())
    found = [lexer.token() for _ in range(5)]
    assert [(token.path, token.text) for token in found] == [
        ("g", "b"), ("g", "\n"), ("f", "a"), ("f", "\n"), ("f", ""),
    ]  # fmt: skip


def test_a_file_that_includes_itself() -> None:
    lexer = Lexer("f", {"f": b"\nf"}.__getitem__)
    lexer.token()
    with pytest.raises(ConfigError, match="f:2: f includes itself"):
        lexer.include(lexer.token())


def test_a_file_that_is_not_there() -> None:
    def read(path: str) -> bytes:
        raise ConfigError("cannot read it", path=path, remedy="make it")

    with pytest.raises(ConfigError, match="f: cannot read it; make it"):
        Lexer("f", read)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    starts = [0]
    with suppress(ConfigError):
        starts = [token.start for token in lex(text)]
    assert starts == sorted(starts)


@given(st.text("ab\"'\\ $#{}<>!=,()é\udcff\t1-.*@", min_size=0, max_size=8))
def test_what_is_written_is_read(text: str) -> None:
    try:
        raw = written(text)
    except ConfigError:
        assert set("\\\t") & set(text) or {'"', "'"} <= set(text)
    else:
        (token, _) = lex(b" " + raw.encode("utf-8", "surrogateescape"))
        assert (token.kind, token.text) == ("word", text)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("sqlite:/var/db/a.conf", "sqlite:/var/db/a.conf"),
        ("users", "users"),
        ("alias", '"alias"'),
        ("25", '"25"'),
        ("a b", '"a b"'),
        ('a"b', "'a\"b'"),
        ("", '""'),
    ],
)
def test_how_words_are_written(text: str, raw: str) -> None:
    assert written(text) == raw


@pytest.mark.parametrize("char", ["\0", "\n", "\t", "\x1b", "\x7f", "\x9b", "\udc9b"])
def test_what_a_terminal_would_obey_is_not_written(char: str) -> None:
    with pytest.raises(ConfigError, match="holds a control character; rename it") as caught:
        written(f"a{char}b")
    assert str(caught.value).isprintable()
