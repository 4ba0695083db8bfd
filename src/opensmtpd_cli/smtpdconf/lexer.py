"""The words of smtpd.conf, as smtpd's own lexer finds them (``yylex`` and ``lgetc`` in parse.y).

Macros are text: ``$name`` at the start of a word puts the macro's value in its place, which is then
read as if it stood there, so a word may begin in a macro and end behind it. Each word knows where
it stands in its file, in bytes; a word out of a macro stands where ``$name`` does.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

from opensmtpd.errors import ConfigError

WORD, KEYWORD, NUMBER, NEWLINE, ARROW, END = "word", "keyword", "number", "newline", "=>", ""
"""Kinds of tokens. A kind of one character is that character."""

LENGTH_MAX = 8094
"""Bytes of a word: the lexer's buffer has 8,096."""

DEPTH_MAX = 100
"""Files inside of files; smtpd would go on until it has no descriptors left."""

_KEYWORDS = """
action admd alias any auth auth-optional backup bounce bypass ca cert chain chroot ciphers
commit compression connect data data-line dhe disconnect domain ehlo encryption expand-only
fcrdns filter for forward-only from group helo helo-src host hostname hostnames include inet4
inet6 junk key limit listen lmtp local mail-from maildir mask-src masquerade match max-deferred
max-message-size mbox mda mta mx no-dsn no-verify noop on phase pki port proc proc-exec
protocols proxy-v2 queue quit rcpt-to rdns received-auth recipient regex reject relay report
rewrite rset scheduler senders smtp smtp-in smtp-out smtps socket src srs sub-addr-delim table
tag tagged tls tls-require ttl user userbase verify virtual warn-interval wrapper
"""
KEYWORDS = frozenset(_KEYWORDS.split())

_DIGITS = frozenset("0123456789")
_ALNUM = _DIGITS | frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_IN_WORD = frozenset(map(chr, range(33, 127))) - frozenset("(){}<>!=#,")
_AFTER_NUMBER = frozenset(" \t\n\v\f\r),/}=")

_BARE = re.compile(r"[A-Za-z0-9:_][A-Za-z0-9:_/.@%+*-]*")
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\udc80-\udc9f]")
"""Characters that a terminal would obey; the last ones are bytes that are no UTF-8."""


def written(text: str) -> str:
    """Return how a word is written in smtpd.conf.

    Raises ConfigError for what it cannot hold, and for control characters: it may be shown.
    """
    if _BARE.fullmatch(text) and not text.isdigit() and text not in KEYWORDS:
        return text
    if _CONTROL.search(text):
        raise ConfigError(f"{text!r} holds a control character", remedy="rename it")
    quote = "'" if '"' in text else '"'
    if quote in text or "\\" in text:
        raise ConfigError(f"smtpd.conf has no way to write {text!r}", remedy="rename it")
    return quote + text + quote


class Token(NamedTuple):
    """A word. Its text may hold surrogate escapes; ``start`` and ``end`` count the file's bytes."""

    kind: str
    text: str
    path: str
    line: int
    start: int
    end: int


class _Char(NamedTuple):
    """A byte as str; ``""`` at the end. ``start`` and ``end`` enclose what it was written as."""

    text: str
    start: int
    end: int
    macro: bool = False


class _File:
    """A file that is being read."""

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.text = content.decode("latin-1")
        self.lines = [at for at, char in enumerate(self.text) if char == "\n"]
        self.at = 0
        self.back: list[_Char] = []
        self.ended = False

    def line(self, offset: int) -> int:
        """Return the number of the line that a byte is in, from 1."""
        return bisect_left(self.lines, offset) + 1

    def next(self) -> _Char:
        """Return the next byte. 1 and 2, which smtpd marks macros with, are passed over."""
        if self.back:
            return self.back.pop()
        while self.text[self.at : self.at + 1] in ("\1", "\2"):
            self.at += 1
        char = _Char(self.text[self.at : self.at + 1], self.at, self.at + 1)
        self.at += len(char.text)
        return char


class Lexer:
    """Words of a file and of those that it includes. The reader of the words sets ``macros``."""

    def __init__(self, path: str, read: Callable[[str], bytes]) -> None:
        """``read`` returns a file's content, or raises ConfigError."""
        self.macros: dict[str, str] = {}
        self._read = read
        self._files = [_File(path, self._content(path))]

    def include(self, token: Token) -> None:
        """Go on with the file that a word names. Raises ConfigError."""
        path = token.text
        if path in (file.path for file in self._files) or len(self._files) >= DEPTH_MAX:
            raise ConfigError(f"{path} includes itself", path=token.path, line=token.line)
        self._files.append(_File(path, self._content(path, token)))

    def token(self) -> Token:
        """Return the next word. Raises ConfigError, at the line where smtpd would complain."""
        char = self._char()
        while char.text in (" ", "\t", "#", "$"):
            if char.text == "#":
                while char.text not in ("\n", ""):
                    char = self._char()
                break
            if char.text == "$":
                if char.macro:
                    break
                self._expand(char)
            char = self._char()
        return self._token(char)

    def _token(self, char: _Char) -> Token:
        if char.text in ("'", '"'):
            return self._quoted(char)
        if char.text == "-" or char.text in _DIGITS:
            number = self._number(char)
            if number or char.text == "-":
                return number or self._made("-", [char])
        if char.text == "=":
            following = self._char()
            if following.text == ">":
                return self._made(ARROW, [char, following])
            self._back(following)
        if char.text in _ALNUM or char.text in (":", "_"):
            return self._word(char)
        if char.text == "\0":
            raise self._error("a NUL byte", char)
        return self._made(NEWLINE if char.text == "\n" else char.text, [char])

    def _word(self, char: _Char) -> Token:
        chars = [char]
        while (char := self._char()).text in _IN_WORD:
            chars.append(char)
            if len(chars) > LENGTH_MAX:
                raise self._error("a word that is too long for smtpd", chars[0])
        self._back(char)
        made = self._made(WORD, chars)
        return made._replace(kind=KEYWORD) if made.text in KEYWORDS else made

    def _number(self, char: _Char) -> Token | None:
        """Return a number; None, with all but its first byte put back, for what is none."""
        chars = [char]
        while (char := self._char()).text in _DIGITS:
            chars.append(char)
        self._back(char)
        if (char.text in _AFTER_NUMBER or not char.text) and chars[-1].text in _DIGITS:
            return self._made(NUMBER, chars)
        for char in reversed(chars[1:]):
            self._back(char)
        return None

    def _quoted(self, opening: _Char) -> Token:
        """Return a string. It may go over lines, whose ends are no part of it."""
        chars: list[_Char] = []
        while (char := self._in_quotes(opening)).text != opening.text:
            if char.text == "\0" or len(chars) >= LENGTH_MAX:
                raise self._error("a string that smtpd cannot read", opening)
            if char.text == "\\":
                following = self._in_quotes(opening)
                if following.text in (opening.text, " ", "\t", "\n"):
                    char = following
                else:
                    self._back(following)
            if char.text != "\n":
                chars.append(char)
        made = self._made(WORD, chars)
        return self._made(WORD, [opening, char])._replace(text=made.text)

    def _in_quotes(self, opening: _Char) -> _Char:
        char = self._files[-1].next()
        if not char.text:
            raise self._error(f"a string that begins with {opening.text} and does not end", opening)
        return char

    def _expand(self, dollar: _Char) -> None:
        """Put a macro's value in the place of its name. Nothing in it is expanded again."""
        name, end = "", dollar.end
        while (char := self._char()).text in _ALNUM or char.text == "_":
            name += char.text
            end = char.end
        self._back(char)
        if name not in self.macros:
            raise self._error(f"macro '{name}' is not defined", dollar)
        value = self.macros[name].encode("utf-8", "surrogateescape").decode("latin-1")
        for text in reversed(value):
            self._back(_Char(text, dollar.start, end, True))

    def _char(self) -> _Char:
        r"""Return the next byte outside of quotes: ``\`` joins lines, or goes before any byte.

        The end of each file is a line end first; behind that of an included file the other goes on.
        """
        char = self._files[-1].next()
        while char.text == "\\":
            following = self._files[-1].next()
            if following.text != "\n":
                char = following._replace(start=char.start)
                break
            char = self._files[-1].next()
        if not char.text and not self._files[-1].ended:
            self._files[-1].ended = True
            return char._replace(text="\n")
        while not char.text and len(self._files) > 1:
            self._files.pop()
            char = self._files[-1].next()
        return char

    def _back(self, char: _Char) -> None:
        if char.text:
            self._files[-1].back.append(char)

    def _made(self, kind: str, chars: list[_Char]) -> Token:
        file = self._files[-1]
        raw = "".join(char.text for char in chars).encode("latin-1")
        start, end = (chars[0].start, chars[-1].end) if chars else (0, 0)
        text = raw.decode("utf-8", "surrogateescape")
        return Token(kind, text, file.path, file.line(start), start, end)

    def _error(self, message: str, char: _Char) -> ConfigError:
        file = self._files[-1]
        return ConfigError(message, path=file.path, line=file.line(char.start))

    def _content(self, path: str, token: Token | None = None) -> bytes:
        try:
            return self._read(path)
        except ConfigError as error:
            if token is None:
                raise
            message, place = f"{path}: {error.message}", token.path
            raise ConfigError(message, path=place, line=token.line, remedy=error.remedy) from None
