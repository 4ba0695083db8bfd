"""The directive ``action``."""

from pathlib import Path

import pytest

from opensmtpd_cli.smtpdconf.directives import ActionDefinition
from unit.support.smtpd_conf import inline, named, place, read


def only(folder: Path, text: str) -> ActionDefinition:
    configuration = read(folder, f"{text}\n")
    assert configuration.rest == []
    [action] = configuration.actions.values()
    return action


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("mbox", {"kind": "mbox"}),
        ("maildir", {"kind": "maildir"}),
        ("maildir junk", {"kind": "maildir", "junk": True}),
        ('maildir "~/Mail" junk', {"kind": "maildir", "path": "~/Mail", "junk": True}),
        ('lmtp "/run/lmtp"', {"kind": "lmtp", "path": "/run/lmtp"}),
        ("lmtp localhost:24 rcpt-to", {"kind": "lmtp", "path": "localhost:24", "rcpt_to": True}),
        ('mda "prog -x" user mail', {"kind": "mda", "path": "prog -x", "user": "mail"}),
        ("expand-only virtual <v>", {"kind": "expand-only", "virtual": named("v")}),
        ("forward-only alias <a>", {"kind": "forward-only", "alias": named("a")}),
        (
            "maildir alias <a> userbase <u> wrapper w ttl 4d",
            {
                "kind": "maildir",
                "alias": named("a"),
                "userbase": named("u"),
                "wrapper": "w",
                "ttl": "4d",
            },
        ),
        ("mbox alias aliases", {"kind": "mbox", "alias": inline("aliases")}),
        ("relay", {"kind": "relay"}),
        ("relay backup", {"kind": "relay", "backup": True}),
        ("relay backup mx mx.example", {"backup": True, "backup_mx": "mx.example"}),
        ("relay tls", {"tls": "tls"}),
        ("relay tls no-verify", {"tls": "tls no-verify"}),
        ("relay host <h>", {"host": named("h")}),
        ("relay domain <d>", {"domain": named("d")}),
    ],
)
def test_kinds_of_actions(tmp_path: Path, words: str, wanted: dict[str, object]) -> None:
    action = only(tmp_path, f'action "x" {words}')
    fields = {"kind": "relay", "name": "x", "place": place(tmp_path, 1)} | wanted
    unset = ActionDefinition(place(tmp_path, 1), "", "relay")._asdict()
    assert action._asdict() == unset | fields


def test_all_that_a_relay_can_say(tmp_path: Path) -> None:
    text = (
        'action out relay host "smtp+tls://LABEL@mx.example" auth <secrets> helo me.example '
        "helo-src <names> src { 192.0.2.1, 192.0.2.2 } tls pki p ca c mail-from @x.example "
        "ciphers HIGH protocols TLSv1.3 filter { a b } srs ttl 1h"
    ).replace("@x.example", '"@x.example"')
    assert only(tmp_path, text.replace("{ 192.0.2.1, 192.0.2.2 }", "<s>")) == ActionDefinition(
        place=place(tmp_path, 1),
        name="out",
        kind="relay",
        host=inline("smtp+tls://label@mx.example"),  # smtpd stores keys in lower case
        auth=named("secrets"),
        helo="me.example",
        helo_src=named("names"),
        src=named("s"),
        tls="tls",
        pki="p",
        ca="c",
        mail_from="@x.example",
        ciphers="HIGH",
        protocols="TLSv1.3",
        filters=("a", "b"),
        srs=True,
        ttl="1h",
    )
    assert only(tmp_path, text).src == inline("192.0.2.1", "192.0.2.2")


def test_words_of_another_smtpd_are_passed_over(tmp_path: Path) -> None:
    configuration = read(tmp_path, "action out relay shiny { tls } src <s> alias <a>")
    action = configuration.actions["out"]
    assert (action.src, action.tls, action.alias) == (named("s"), "", None)
    assert [other.place.line for other in configuration.rest] == [1]


def test_an_action_of_a_kind_that_is_not_known(tmp_path: Path) -> None:
    configuration = read(tmp_path, 'action "x" teleport "there"\n')
    assert configuration.actions == {}
    assert [other.words for other in configuration.rest] == [("action", "x", "teleport", "there")]


def test_of_two_with_one_name_the_first_counts(tmp_path: Path) -> None:
    actions = read(tmp_path, "action x mbox\naction x relay\n").actions
    assert [(action.name, action.kind) for action in actions.values()] == [("x", "mbox")]
