"""The directives ``filter`` and ``proc``."""

from pathlib import Path

import pytest

from opensmtpd_cli.smtpdconf.directives import Condition, FilterDefinition, ProcDefinition
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from unit.support.smtpd_conf import inline, named, place, read


def only(folder: Path, text: str) -> FilterDefinition:
    configuration = read(folder, f"{text}\n")
    assert configuration.rest == []
    [found] = configuration.filters.values()
    return found


def test_proc_exec(tmp_path: Path) -> None:
    text = 'filter "dkim" \\\n  proc-exec "filter-dkimsign -d x" \\\n  group g user u chroot "/c"'
    entry = FilterEntry("dkim", "filter-dkimsign -d x", "u", "g", "/c")
    words = ("filter-dkimsign -d x", "group", "g", "user", "u", "chroot", "/c")
    assert only(tmp_path, text) == FilterDefinition(
        place(tmp_path, 1), "dkim", "proc-exec", words, entry
    )


def test_a_filter_of_a_proc(tmp_path: Path) -> None:
    configuration = read(tmp_path, 'proc p "filter-x -a" user u\nfilter f proc p\n')
    entry = FilterEntry("p", "filter-x -a", "u")
    assert configuration.procs == {"p": ProcDefinition(place(tmp_path, 1), "p", entry)}
    assert configuration.filters == {
        "f": FilterDefinition(place(tmp_path, 2), "f", "proc", ("p",), entry, proc="p")
    }
    assert configuration.rest == []


def test_a_filter_of_a_proc_that_is_not_there(tmp_path: Path) -> None:
    found = only(tmp_path, "filter f proc p")
    assert (found.proc, found.entry) == ("p", None)


@pytest.mark.parametrize(
    ("words", "phase", "condition", "decision"),
    [
        ("connect match !rdns junk", "connect", Condition("rdns", negated=True), "junk"),
        ("connect match ! fcrdns bypass", "connect", Condition("fcrdns", negated=True), "bypass"),
        ("connect match rdns <r> junk", "connect", Condition("rdns", table=named("r")), "junk"),
        (
            'connect match src 192.0.2.1 disconnect "421 x"',
            *("connect", Condition("src", table=inline("192.0.2.1")), "disconnect"),
        ),
        (
            'ehlo match helo regex { "^a", "b$" } reject "550 x"',
            *("ehlo", Condition("helo", table=inline("^a", "b$"), regex=True), "reject"),
        ),
        ('auth match !auth rewrite "x"', "auth", Condition("auth", negated=True), "rewrite"),
        (
            'mail-from match mail-from <m> report "x"',
            *("mail-from", Condition("mail-from", table=named("m")), "report"),
        ),
        (
            'rcpt-to match rcpt-to <m> reject "550 x"',
            *("rcpt-to", Condition("rcpt-to", table=named("m")), "reject"),
        ),
        ('commit match rdns reject "550 x"', "commit", Condition("rdns"), "reject"),
    ],
)
def test_phases(
    tmp_path: Path, words: str, phase: str, condition: Condition, decision: str
) -> None:
    found = only(tmp_path, f"filter f phase {words}")
    assert (found.kind, found.phase, found.condition, found.decision) == (
        *("phase", phase),
        *(condition, decision),
    )
    assert found.words[0] == phase


@pytest.mark.parametrize("braces", ["{ a, b }", "{ a b }", "{\n a,\n\n b\n}", "{ a\nb }"])
def test_chains(tmp_path: Path, braces: str) -> None:
    found = only(tmp_path, f"filter c chain {braces}")
    assert (found.kind, found.chain, found.entry) == ("chain", ("a", "b"), None)


def test_words_of_another_smtpd_are_passed_over(tmp_path: Path) -> None:
    text = (
        'filter f proc-exec "x" shiny { user a } user u\n'
        "filter g phase moon match tls junk\n"
        "filter h teleport x\n"
        'proc p "x" nice 5 group g\n'
    )
    configuration = read(tmp_path, text)
    entries = {name: found.entry for name, found in configuration.filters.items()}
    assert entries == {"f": FilterEntry("f", "x", "u"), "g": None}
    assert configuration.procs["p"].entry == FilterEntry("p", "x", "", "g")
    assert [other.place.line for other in configuration.rest] == [1, 2, 3, 4]
