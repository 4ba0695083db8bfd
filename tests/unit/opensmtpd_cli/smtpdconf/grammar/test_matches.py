"""The directive ``match``."""

from pathlib import Path

import pytest

from opensmtpd_cli.smtpdconf.directives import Condition, MatchRule
from unit.support.smtpd_conf import inline, named, place, read


def only(folder: Path, text: str) -> MatchRule:
    configuration = read(folder, f"{text}\n")
    assert configuration.rest == []
    [match] = configuration.matches
    return match


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("from any", Condition("from", "any")),
        ("from local", Condition("from", "local")),
        ("! from socket", Condition("from", "socket", negated=True)),
        ("from src 192.0.2.0/24", Condition("from", "src", table=inline("192.0.2.0/24"))),
        ("from src <nets>", Condition("from", "src", table=named("nets"))),
        ('from src regex "^10"', Condition("from", "src", table=inline("^10"), regex=True)),
        ("from rdns", Condition("from", "rdns")),
        ("from rdns regex <r>", Condition("from", "rdns", table=named("r"), regex=True)),
        ("from auth", Condition("from", "auth")),
        ("!from auth <users>", Condition("from", "auth", True, named("users"))),
        ("from auth regex <r>", Condition("from", "auth", table=named("r"), regex=True)),
        ("from mail-from <m>", Condition("from", "mail-from", table=named("m"))),
        ("for any", Condition("for", "any")),
        ("for local", Condition("for", "local")),
        ("!for local", Condition("for", "local", negated=True)),
        ('for domain "Example.org"', Condition("for", "domain", table=inline("example.org"))),
        ("for domain { a, b }", Condition("for", "domain", table=inline("a", "b"))),
        ("for domain regex <r>", Condition("for", "domain", table=named("r"), regex=True)),
        ("for rcpt-to <r>", Condition("for", "rcpt-to", table=named("r"))),
        ("auth", Condition("auth")),
        ("! auth", Condition("auth", negated=True)),
        ("auth <users>", Condition("auth", table=named("users"))),
        ("tls", Condition("tls")),
        ("!tls", Condition("tls", negated=True)),
        ("tag T", Condition("tag", table=inline("t"))),
        ("tag regex <t>", Condition("tag", table=named("t"), regex=True)),
        ("helo <h>", Condition("helo", table=named("h"))),
        ("! helo regex <h>", Condition("helo", "", True, named("h"), True)),
        ("mail-from <m>", Condition("mail-from", table=named("m"))),
        ("rcpt-to regex <r>", Condition("rcpt-to", table=named("r"), regex=True)),
    ],
)
def test_conditions(tmp_path: Path, words: str, wanted: Condition) -> None:
    assert only(tmp_path, f"match {words} action x").conditions == (wanted,)
    assert only(tmp_path, f"match tls {words} reject") == MatchRule(
        place(tmp_path, 1), "", (Condition("tls"), wanted)
    )


def test_a_match_for_all_that_is_local(tmp_path: Path) -> None:
    assert only(tmp_path, 'match action "local"') == MatchRule(place(tmp_path, 1), "local")


def test_matches_stand_in_their_order(tmp_path: Path) -> None:
    text = 'match from any for any reject\n\nmatch auth from any \\\n for any action "out"\n'
    assert read(tmp_path, text).matches == [
        MatchRule(place(tmp_path, 1), "", (Condition("from", "any"), Condition("for", "any"))),
        MatchRule(
            place(tmp_path, 3),
            "out",
            (Condition("auth"), Condition("from", "any"), Condition("for", "any")),
        ),
    ]


def test_words_of_another_smtpd_are_passed_over(tmp_path: Path) -> None:
    configuration = read(tmp_path, "match shiny <t> from moon for any action x")
    assert configuration.matches == [MatchRule(place(tmp_path, 1), "x", (Condition("for", "any"),))]
    assert [other.place.line for other in configuration.rest] == [1]


@pytest.mark.parametrize("text", ["match", "match from any", "match from any action"])
def test_a_match_that_does_nothing(tmp_path: Path, text: str) -> None:
    configuration = read(tmp_path, text)
    assert configuration.matches == []
    assert [other.words for other in configuration.rest] == [tuple(text.split())]
