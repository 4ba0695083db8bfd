"""``user``, ``alias`` and ``domain``: what is in the database afterwards, and what is said."""

import sqlite3
from pathlib import Path

import pytest

from opensmtpd_cli.commands.accounts.command import alias, domain, user
from unit.support.account_commands import TABLES, content, done, dump, make, refused, run

pytestmark = pytest.mark.usefixtures("quick_hash")


# --- users ------------------------------------------------------------------------------------


def test_add_a_user(database: str) -> None:
    assert done(user, "add", database, "Alice", stdin="Secret\n") == "added alice to logins\n"
    assert content(database, "logins") == [("alice", "alice", "$x$terceS")]


def test_a_user_who_is_there(database: str) -> None:
    done(user, "add", database, "alice", stdin="one\n")
    before = dump(database)
    reason = f"{database}: alice is in logins already"
    assert refused(user, "add", database, "ALICE", stdin="two\n") == reason
    assert dump(database) == before


def test_change_a_password(database: str) -> None:
    done(user, "add", database, "alice", stdin="one\n")
    done(user, "add", database, "bob", stdin="one\n")
    said = done(user, "passwd", database, "Alice", stdin="two\n")
    assert said == "changed the password of alice in logins\n"
    assert content(database, "logins") == [("alice", "alice", "$x$owt"), ("bob", "bob", "$x$eno")]


def test_the_password_of_nobody(database: str) -> None:
    reason = f"{database}: alice is not in logins"
    assert refused(user, "passwd", database, "alice", stdin="two\n") == reason
    assert content(database, "logins") == []


def test_no_password(database: str) -> None:
    result = run(user, "add", database, "alice")
    assert result.exit_code == 2
    assert "there is no password on standard input" in result.output
    assert content(database, "logins") == []


def test_a_user_with_a_home(place: Path) -> None:
    """There is no table for that yet."""
    database = make(place / "mail.db", *TABLES)
    where = ("--uid", "1000", "--gid", "100", "--home", "/home/alice")
    said = done(user, "add", database, "Alice", *where, stdin="one\n")
    assert said == (f"table userinfo sqlite:{place}/userinfo.conf\nadded alice to logins\n")
    assert content(database, "userinfo") == [("alice", 1000, 100, "/home/alice")]
    assert ("userinfo", "userinfo", "userinfo") in content(database, "smtpd_tables")
    text = (place / "userinfo.conf").read_text()
    assert f"dbpath {database}\n" in text
    assert 'query_userinfo SELECT uid, gid, home FROM "userinfo" WHERE key = ?\n' in text
    said = done(user, "add", database, "bob", *where, stdin="one\n")
    assert said == "added bob to logins\n"
    assert len(content(database, "userinfo")) == 2


def test_remove_a_user(database: str) -> None:
    where = ("--uid", "1000", "--gid", "100", "--home", "/home/alice")
    done(user, "add", database, "alice", *where, stdin="one\n")
    assert done(user, "remove", database, "Alice") == "removed alice from logins, userinfo\n"
    assert content(database, "logins") == content(database, "userinfo") == []
    assert refused(user, "remove", database, "alice") == f"{database}: alice is not in logins"


def test_list_users(database: str) -> None:
    done(user, "add", database, "bob", stdin="one\n")
    done(user, "add", database, "alice", stdin="one\n")
    assert done(user, "list", database) == "alice\nbob\n"
    where = ("--uid", "7", "--gid", "8", "--home", "/home/carol")
    done(user, "add", database, "carol", *where, stdin="one\n")
    assert done(user, "list", database) == "alice\nbob\ncarol\t7\t8\t/home/carol\n"


@pytest.mark.parametrize("where", [["--uid", "1"], ["--uid", "1", "--gid", "1"], ["--home", "/"]])
def test_half_a_place(database: str, where: list[str]) -> None:
    result = run(user, "add", database, "alice", *where, stdin="one\n")
    assert "--uid, --gid and --home go together" in result.output
    assert result.exit_code == 2


def test_passwords_are_not_said(database: str) -> None:
    for argv in (("add", database, "alice"), ("passwd", database, "alice"), ("list", database)):
        said = done(user, *argv, stdin="Secret\n")
        assert "Secret" not in said
        assert "$x$" not in said


def test_a_password_that_is_no_utf_8(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def encrypt(password: str) -> str:
        given.append(password)
        return "$x$hash"

    monkeypatch.setattr("opensmtpd.table.passwords.encrypt", encrypt)
    done(user, "add", database, "alice", stdin=b"p\xe4ss\r\n")
    assert given == ["p\udce4ss"]


# --- aliases ----------------------------------------------------------------------------------


def test_add_aliases(database: str) -> None:
    assert done(alias, "add", database, "Info", "Bob") == "added info to aliases\n"
    done(alias, "add", database, "Sales@Example.org", "carol", "dave@example.com")
    done(alias, "add", database, "@example.org", "error:550 gone")
    done(alias, "add", database, "@", "root")
    said = done(alias, "list", database)
    assert said == (
        "@\troot\n@example.org\terror:550 gone\ninfo\tBob\n"
        "sales@example.org\tcarol, dave@example.com\n"
    )


def test_aliases_that_mean_something_else(database: str) -> None:
    assert done(alias, "add", database, "*@example.org", "bob") == (
        "added *@example.org to aliases\nwarning: *@example.org: the * stands for itself, and not"
        " for all users; write @example.org\n"
    )
    assert "; for all users of the domain write @example.com\n" in done(
        alias, "add", database, "example.com", "bob"
    )
    assert done(alias, "add", database, "gone", "error:550 gone, sorry").endswith(
        "further recipients; write \\, for a comma in the text\n"
    )


def test_remove_an_alias(database: str) -> None:
    done(alias, "add", database, "info", "bob")
    assert done(alias, "remove", database, "INFO") == "removed info from aliases\n"
    assert refused(alias, "remove", database, "info") == f"{database}: info is not in aliases"


def test_an_alias_that_is_there(database: str) -> None:
    done(alias, "add", database, "info", "bob")
    assert refused(alias, "add", database, "Info", "eve") == "info is in aliases already"
    assert content(database, "aliases") == [("info", "bob")]


# --- domains ----------------------------------------------------------------------------------


def test_domains(database: str) -> None:
    assert done(domain, "add", database, "Example.org") == "added example.org to domains\n"
    done(domain, "add", database, "*.example.org")
    done(domain, "add", database, "[192.0.2.1]")
    done(domain, "add", database, "[IPv6:2001:db8::1]")
    said = done(domain, "list", database)
    assert said == "*.example.org\n[192.0.2.1]\n[ipv6:2001:db8::1]\nexample.org\n"
    assert done(domain, "remove", database, "EXAMPLE.org") == "removed example.org from domains\n"
    reason = f"{database}: example.org is not in domains"
    assert refused(domain, "remove", database, "example.org") == reason


# --- lists ------------------------------------------------------------------------------------


def test_nothing_reaches_the_terminal_unescaped(database: str) -> None:
    db = sqlite3.connect(database)
    db.execute("INSERT INTO aliases VALUES ('a\tb', CAST(X'1b5b316dff' AS TEXT))")
    db.commit()
    db.close()
    assert done(alias, "list", database) == "a\\tb\t\\x1b[1m\\xff\n"


def test_a_list_on_a_terminal(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done(alias, "add", database, "info", "/a[bold]")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    alias.main(["list", database], standalone_mode=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["key", "value"], ["info", "/a[bold]"]]
