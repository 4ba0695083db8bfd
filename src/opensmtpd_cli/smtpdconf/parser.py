"""Read smtpd.conf as smtpd does (parse.y): macros, included files, and the directives in them.

Of ``table``, and of the form of the file, whatever smtpd would not take is an error. A word that is
not known elsewhere is none: another smtpd may take it.
"""

from codecs import BOM_UTF8
from itertools import pairwise

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.directives import FilterDefinition
from opensmtpd_cli.smtpdconf.grammar import (
    actions,
    filters,
    listeners,
    matches,
    settings,
    tables,
)
from opensmtpd_cli.smtpdconf.grammar.tables import fault, reserved
from opensmtpd_cli.smtpdconf.grammar.words import Words
from opensmtpd_cli.smtpdconf.lexer import END, KEYWORD, NEWLINE, WORD, Lexer, Token
from opensmtpd_cli.smtpdconf.table_uses import USES, Use


def read(path: str) -> Configuration:
    """Read smtpd.conf and what it includes. Raises ConfigError for what smtpd would not take."""
    files: dict[str, bytes] = {}

    def content(name: str) -> bytes:
        with reading(name) as file:
            files[name] = file.read()
        if files[name].startswith(BOM_UTF8):
            fault = "a byte order mark before the first word, which smtpd cannot read"
            raise ConfigError(fault, path=name, line=1, remedy="save it as UTF-8 without BOM")
        return files[name]

    lexer = Lexer(path, content)
    configuration = Configuration({}, {}, files, {}, [], {}, {}, [], {}, [], {}, {}, [])
    while (statement := _statement(lexer)) is not None:
        _understand(statement, lexer, configuration)
    return configuration


def _statement(lexer: Lexer) -> list[Token] | None:
    """Return the words up to a line end outside of braces; None when there are no more."""
    words: list[Token] = []
    open_braces: list[Token] = []
    while (token := lexer.token()).kind != END:
        if token.kind == NEWLINE and not open_braces:
            return words
        words.append(token)
        kinds = [word.kind for word in words[:3]]  # no more: there may be very many
        if kinds == [KEYWORD, WORD] and words[0].text == "include":
            lexer.include(token)  # read at once: what follows on the line comes after the file
            return []
        if token.kind == "{":
            open_braces.append(token)
        elif token.kind == "}":
            if not open_braces:
                raise fault("a } without a {", token)
            open_braces.pop()
    if open_braces:
        raise fault("a { without its }", open_braces[-1])
    return words or None


def _understand(words: list[Token], lexer: Lexer, configuration: Configuration) -> None:
    if len(words) > 1 and words[1].kind == "=":
        name, value = _macro(words)
        lexer.macros[name] = value
    elif words and words[0].kind == KEYWORD and words[0].text == "table":
        table = tables.definition(words)
        if table.name in configuration.tables:
            raise fault(f"table {table.name} is there already", words[0])
        configuration.tables[table.name] = table
    elif words:
        _note_uses(words, configuration.uses)
        _note_nameless(words, configuration.nameless)
        _enter(Words(words), configuration)


def _enter(words: Words, into: Configuration) -> None:
    """Read a directive, and enter its record. Of two with one name, which smtpd refuses, the first.

    One that is not understood, or not to its end, is entered as words too.
    """
    match words.keyword():
        case "filter":
            if definition := filters.filter_definition(words):
                into.filters.setdefault(definition.name, _with_entry(definition, into))
        case "proc":
            proc = filters.proc(words)
            into.procs.setdefault(proc.name, proc)
        case "listen":
            into.listeners.extend(filter(None, [listeners.listener(words)]))
        case "action":
            if action := actions.action(words):
                into.actions.setdefault(action.name, action)
        case "match":
            into.matches.extend(filter(None, [matches.match(words)]))
        case "pki":
            pki = settings.pki(words)
            known = into.pkis.get(pki.name)
            into.pkis[pki.name] = settings.joined(known, pki) if known else pki
        case "ca":
            ca = settings.ca(words)
            into.cas.setdefault(ca.name, ca)
        case name if name in settings.SETTINGS:
            into.settings.update(settings.settings(name, words))
        case _:
            words.understood = False
    if words.more() or not words.understood:
        into.rest.append(words.whole())


def _with_entry(definition: FilterDefinition, into: Configuration) -> FilterDefinition:
    """Give a filter the entry of the ``proc`` that it names, which stands above it."""
    proc = into.procs.get(definition.proc)
    return definition._replace(entry=proc.entry) if proc else definition


def _macro(words: list[Token]) -> tuple[str, str]:
    """Return name and value of ``name = value``."""
    if words[0].kind == KEYWORD:
        raise reserved(words[0], "no macro can be called so", "choose another name")
    if [word.kind for word in words] != [WORD, "=", WORD]:
        raise fault(f"not a macro: {words[0].text} =", words[0], 'write NAME = "VALUE"')
    if any(char in " \t\v\f\r" for char in words[0].text[1:]):
        raise fault("a macro's name with a space in it", words[0])
    return words[0].text, words[2].text


def _note_uses(words: list[Token], uses: dict[str, list[Use]]) -> None:
    """Note each ``<name>``: what it means is said by the directive and by the word before."""
    for at in range(1, len(words) - 2):
        kinds = [word.kind for word in words[at : at + 3]]
        if kinds == ["<", KEYWORD, ">"]:
            raise reserved(words[at + 1], "a table cannot be called so")
        if kinds == ["<", WORD, ">"]:
            use = USES.get(f"{words[0].text} {words[at - 1].text}")
            if use:
                uses.setdefault(words[at + 1].text, []).append(use)


def _note_nameless(words: list[Token], nameless: list[Token]) -> None:
    """Note each table that stands where it is used, and has no name."""
    for before, word in pairwise(words):
        if word.kind == "{" and before.text != "chain":
            nameless.append(word)
