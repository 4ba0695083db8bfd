"""Names of users, aliases and domains, as the commands that add them take or refuse them."""

import pytest

from opensmtpd_cli.commands.accounts.command import alias, domain, user
from unit.support.account_commands import content, done, refused


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a:b", "'a:b' holds a colon, which ends the name in smtpd's user:password"),
        ("", "'' is empty"),
        ("a b", "'a b' holds white space or what does not print"),
        ("a\n", "'a\\n' holds white space or what does not print"),
        ("a" * 256, f"'{'a' * 80}' has more than 255 bytes"),
    ],
)
def test_names_of_users(database: str, name: str, reason: str) -> None:
    said = refused(user, "add", database, name, stdin="one\n")
    assert said == f"the user name {reason}"
    assert content(database, "logins") == []


@pytest.mark.parametrize("home", ["home", "", "/a\nb", "/" + "a" * 2048])
def test_homes(database: str, home: str) -> None:
    where = ("--uid", "1", "--gid", "1", "--home", home)
    assert "is no path of a directory" in refused(user, "add", database, "a", *where, stdin="x")


@pytest.mark.parametrize(
    ("name", "destinations", "reason"),
    [
        ("info", ["two words"], "smtpd could not read this: 'two words' is no address, user"),
        ("info", ["it's"], "smtpd could not read this: a quote that does not end"),
        ("info", ["x@example.org"] * 200, "smtpd could not read this: 2998 bytes, and smtpd takes"),
        ("info", [" , "], "an alias without a destination"),
        ("info", ["|/a\nb"], "a destination holds what does not print"),
        (
            "info",
            ["bob@exa_mple.org"],
            "smtpd would deliver 'bob@exa_mple.org' to the user bob, for the domain holds",
        ),
        (
            "info",
            ["bob", "|/bin/prog"],
            "'|/bin/prog' is a program, which smtpd runs for each mail, as the user; give --force",
        ),
        ("info", ['"|/bin/prog a"'], """'"|/bin/prog a"' is a program"""),
        ("", ["bob"], "the alias '' is empty"),
        ("a b", ["bob"], "the alias 'a b' holds what smtpd accepts in no address"),
        ("ü", ["bob"], "the alias 'ü' holds what smtpd accepts in no address"),
        ("a@b@c", ["bob"], "the alias 'a@b@c' holds what smtpd accepts in no address"),
        ("a" * 256, ["bob"], f"the alias '{'a' * 80}' has more than 255 bytes before the @"),
        ("a@*.org", ["bob"], "the alias 'a@*.org' has a pattern for a domain, which smtpd would"),
        ("a@b..c", ["bob"], "'b..c' is no domain name"),
    ],
)
def test_what_is_no_alias(database: str, name: str, destinations: list[str], reason: str) -> None:
    assert refused(alias, "add", database, name, *destinations).startswith(reason)
    assert content(database, "aliases") == []


def test_a_program_that_is_meant(database: str) -> None:
    done(alias, "add", database, "info", '"|/bin/prog a, b"', "--force")
    assert content(database, "aliases") == [("info", '"|/bin/prog a, b"')]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "'' is no domain name"),
        ("a b", "'a b' is no domain name"),
        ("a..b", "'a..b' is no domain name"),
        ("@example.org", "'@example.org' is no domain name"),
        ("example.org.", "'example.org.' ends in a dot"),
        ("a" * 64 + ".org", f"'{'a' * 64}.org' is no domain name"),
        ("a." * 127 + "org", f"'{'a.' * 40}' has more than 253 bytes"),
        ("bücher.example", "'bücher.example' is not ASCII: give it as it stands in the DNS"),
        ("[192.0.2]", "'[192.0.2]' is no address"),
        ("a\n", "'a\\n' is no domain name"),
    ],
)
def test_what_is_no_domain(database: str, name: str, reason: str) -> None:
    assert refused(domain, "add", database, name).startswith(reason)
    assert content(database, "domains") == []
