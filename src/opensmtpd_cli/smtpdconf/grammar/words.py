"""The words of a directive, taken one after the other."""

from opensmtpd.errors import ConfigError
from opensmtpd.table import text
from opensmtpd.table.file import Row
from opensmtpd_cli.smtpdconf.directives import Other, Place, TableRef
from opensmtpd_cli.smtpdconf.grammar.tables import rows_between
from opensmtpd_cli.smtpdconf.lexer import KEYWORD, NEWLINE, NUMBER, WORD, Token


class Words:
    """A reader of a directive, which has at least one word.

    No word raises anything: ``understood`` becomes False with the first that has no place here.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self.place = Place(tokens[0].path, tokens[0].line)
        self.understood = True

    def whole(self) -> Other:
        """Return the directive as words only."""
        return Other(self.place, self._texts(0))

    def ahead(self) -> tuple[str, ...]:
        """Return the words that were not taken yet, without line ends. They are not taken."""
        return self._texts(self._at)

    def joined(self) -> str:
        """Take all words that are left, and return them as one."""
        found = self.ahead()
        self._at = len(self._tokens)
        return "".join(found)

    def more(self) -> bool:
        """Return whether there are words left."""
        while self._at < len(self._tokens) and self._kind() == NEWLINE:
            self._at += 1
        return self._at < len(self._tokens)

    def taken(self, *texts: str) -> str:
        """Take the next word, if it is one of these words of smtpd.conf's own; else return ""."""
        if self._kind() == KEYWORD and self._tokens[self._at].text in texts:
            return self._take().text
        return ""

    def follows(self, text: str) -> bool:
        """Return whether the next word is this one of smtpd.conf's own, which is taken."""
        return bool(self.taken(text))

    def mark(self, char: str) -> bool:
        """Take the next character and return True, if it is this one."""
        if self._kind() != char:
            return False
        self._at += 1
        return True

    def keyword(self) -> str:
        """Take a word of smtpd.conf's own. Return "" for any other, which is passed over."""
        if self._kind() == KEYWORD:
            return self._take().text
        self.pass_over()
        return ""

    def word(self) -> str:
        """Take a word that the administrator chose. Return "", and take nothing, for another."""
        found = self.word_or_none()
        self.understood = self.understood and bool(found)
        return found

    def word_or_none(self) -> str:
        """Take a word that may be left out: "" then."""
        return self._take().text if self._kind() == WORD else ""

    def number(self) -> str:
        """Take a word, a number too; else as ``word``."""
        return self._take().text if self._kind() == NUMBER else self.word()

    def names(self) -> tuple[str, ...]:
        """Take a word, or the words in ``{ … }``."""
        if not self.mark("{"):
            name = self.word()
            return (name,) if name else ()
        found: list[str] = []
        while self.more() and not self.mark("}"):
            if self._kind() == WORD:
                found.append(self._take().text)
            elif not self.mark(","):
                self.pass_over()
        return tuple(found)

    def table(self) -> TableRef | None:
        """Take a table: ``<name>``, ``{ … }`` or a word. Return None, where there is none."""
        found = self.table_or_none()
        self.understood = self.understood and found is not None
        return found

    def table_or_none(self) -> TableRef | None:
        """Take a table, if there is one: most words may stand with one or without."""
        kinds = [token.kind for token in self._tokens[self._at : self._at + 3]]
        if kinds == ["<", WORD, ">"]:
            name = self._tokens[self._at + 1]
            self._at += 3
            return TableRef(name.text, None, name.line)
        if kinds[:1] == [WORD]:
            word = self._take()
            return TableRef("", (Row(word.line, text.lower(word.text), None),), word.line)
        return self._in_braces() if kinds[:1] == ["{"] else None

    def pass_over(self) -> None:
        """Pass over what is not understood: a word, or all that stands between braces."""
        self.understood = False
        self._at = self._end_of_group()

    def _in_braces(self) -> TableRef | None:
        brace, end = self._tokens[self._at], self._end_of_group()
        inner = self._tokens[self._at + 1 : end - 1]
        self._at = end
        try:
            return TableRef("", tuple(rows_between(inner, brace)), brace.line)
        except ConfigError:
            self.understood = False
            return None

    def _end_of_group(self) -> int:
        """Return where the next word ends, or the braces that begin with it."""
        depth = 0
        for at in range(self._at, len(self._tokens)):
            kind = self._tokens[at].kind
            depth += (kind == "{") - (kind == "}")
            if depth <= 0:
                return at + 1
        return len(self._tokens)

    def _texts(self, start: int) -> tuple[str, ...]:
        return tuple(token.text for token in self._tokens[start:] if token.kind != NEWLINE)

    def _kind(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else NEWLINE

    def _take(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]
