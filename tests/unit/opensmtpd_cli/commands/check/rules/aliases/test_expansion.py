"""Aliases, to their ends. The users are root and nobody else."""

import pwd
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules.aliases.expansion import Expander
from opensmtpd_cli.commands.check.rules.ruleset.matching import Ruleset
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.errors import Unsure
from unit.support.smtpd_conf import read

ALIASES = """\
table aliases { staff = "al, bob", al = root, bob = "bob@example.org", loop = loop2, loop2 = loop }
table virtuals { "al@virtual.example" = root, "@catch.example" = "al@virtual.example" }
table users { vmail = "1:1:/" }
table far sqlite:/etc/far.conf
action "in" maildir alias <aliases>
action "virtual" maildir virtual <virtuals>
action "own users" maildir alias <aliases> userbase <users>
action "far users" maildir alias <aliases> userbase <far>
action "far" maildir alias <far>
action "out" relay
match from any for domain example.com action "in"
match from any for domain { virtual.example, catch.example } action "virtual"
match from any for domain rejected.example reject
match from any for domain far.example action "far"
match tag X from any for domain tagged.example action "in"
match from local for domain example.org action "out"
"""


@pytest.fixture(autouse=True)
def _users(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(name: str) -> None:
        if name != "root":
            raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", one)


def end(folder: Path, value: str, key: str = "key", action: str = "in") -> str:
    """Return the code of the finding, "" where mail is delivered."""
    configuration = read(folder, ALIASES)
    tables = Tables(configuration)
    rules = Ruleset(configuration.matches, tables, "here.example".__eq__)
    expander = Expander(rules, tables, configuration.actions, "+")
    found = expander.dead_end(key, value, configuration.actions[action])
    return found.code if found else ""


@pytest.mark.parametrize(
    "value",
    [
        "root",
        "Root",
        "root+tag",
        "staff",
        "root, loop",
        "loop, root",
        "al@example.com",
        "bob@example.org",
        "al@virtual.example",
        "anybody@catch.example",
        "|/bin/cat",
        "/var/mail/archive",
        "error:550 gone",
    ],
)
def test_delivered(tmp_path: Path, value: str) -> None:
    assert end(tmp_path, value) == ""


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("nobody", "alias-target-missing"),
        ("root, nobody", "alias-target-missing"),
        ("nobody@example.com", "alias-target-missing"),
        ("nobody+root", "alias-target-missing"),
        ("loop", "alias-loop"),
        ("loop2, loop", "alias-loop"),
        ("key@example.com", "alias-target-missing"),
        ("al@elsewhere.example", "alias-refused"),
        ("al@rejected.example", "alias-refused"),
        ("nobody@virtual.example", "alias-refused"),
        (":include:/nowhere/list", "alias-loop"),
        ("two words", "alias-unreadable"),
    ],
)
def test_dead_ends(tmp_path: Path, value: str, code: str) -> None:
    assert end(tmp_path, value) == code


def test_a_user_of_the_same_name(tmp_path: Path) -> None:
    assert end(tmp_path, "root", key="root") == ""
    assert end(tmp_path, "root, al", key="root") == ""
    assert end(tmp_path, "nobody", key="nobody") == "alias-target-missing"


def test_a_loop_through_an_address(tmp_path: Path) -> None:
    text = ALIASES.replace("{ staff", '{ al2 = "al2@example.com", staff')
    configuration = read(tmp_path, text)
    tables = Tables(configuration)
    rules = Ruleset(configuration.matches, tables, "here.example".__eq__)
    expander = Expander(rules, tables, configuration.actions, "+")
    found = expander.dead_end("al2", "al2@example.com", configuration.actions["in"])
    assert found is not None
    assert found.code == "alias-loop"
    assert found.reason == "it leads back to al2@example.com without an end"


def test_users_of_a_table(tmp_path: Path) -> None:
    assert end(tmp_path, "vmail", action="own users") == ""
    assert end(tmp_path, "root", action="own users") == "alias-target-missing"


@pytest.mark.parametrize(
    ("value", "action"),
    [
        ("nobody", "far users"),
        ("nobody@far.example", "in"),
        ("nobody@tagged.example", "in"),
        (":include:/etc/passwd", "in"),
    ],
)
def test_what_cannot_be_known(tmp_path: Path, value: str, action: str) -> None:
    with pytest.raises(Unsure):
        end(tmp_path, value, action=action)


def test_an_alias_for_very_many(tmp_path: Path) -> None:
    many = ", ".join(f"u{n}@example.org" for n in range(120))
    value = many[:2000].rpartition(",")[0]
    assert end(tmp_path, value) == ""
