"""table-passwd: what Debian's table-passwd 1.0.2 answers, and what it does wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd.table.passwords import encrypt
from opensmtpd_tables.passwd import Passwd, Users
from unit.support.processes import CHECKED
from unit.support.table_talk import Talk, flags, program

ALICE = "alice:$2b$10$abc:1000:100:Alice A,,,:/home/alice:/bin/sh"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "passwd"


def talk(path: Path, text: str, smtpd: bytes = b"7.9.0") -> Talk:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return Talk(Passwd(flags(path)), smtpd)


def test_what_it_can_serve_is_registered(path: Path) -> None:
    assert talk(path, ALICE).services == ["credentials", "userinfo"]


@pytest.mark.parametrize(
    ("line", "credentials", "userinfo"),
    [
        (ALICE, "found|alice:$2b$10$abc", "found|1000:100:/home/alice"),
        ("alice:*:1:2::/h", "found|alice:*", "found|1:2:/h"),
        (f"{ALICE}:userdb_quota_rule=*:bytes=1G::", "found|alice:$2b$10$abc",
            "found|1000:100:/home/alice"),
        ("alice:h:1:2:a|b:/home/a b:/bin/sh # comment", "found|alice:h", "found|1:2:/home/a b"),
        ("alice:h:1:2::/home/#1:/bin/sh", "found|alice:h", "found|1:2:/home/"),
        ("alice:h:1:2::/h #", "found|alice:h", "found|1:2:/h "),
        ("alice:h|i:1:2::/h\udcff:", "found|alice:h|i", "found|1:2:/h\udcff"),
        ("alice:h:007: +5::/h", "found|alice:h", "found|7:5:/h"),  # as strtonum(3) reads them
        ("alice:h:-0:0::/h", "found|alice:h", "found|0:0:/h"),
        # Where the C program answers 4294967294 with -2.
        ("alice:h:4294967294:4294967295::/h", "found|alice:h", "found|4294967294:4294967295:/h"),
        ("alice:h:1:2::/home/a\r", "found|alice:h", "found|1:2:/home/a"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", "\n"])
def test_lookups(path: Path, line: str, credentials: str, userinfo: str, end: str) -> None:
    table = talk(path, f"# comment\n\n{line}{end}")
    assert table.lookup("credentials", "alice") == credentials
    assert table.lookup("userinfo", "alice") == userinfo
    assert table.check("credentials", "alice") == credentials.partition("|")[0]
    assert table.check("userinfo", "alice") == userinfo.partition("|")[0]
    for other in ("alic", "alice ", "", "alice:", "bob"):
        assert table.lookup("credentials", other) == "not-found"


@pytest.mark.parametrize(
    ("line", "service", "fault"),
    [
        # Dovecot's: no uid, gid and home
        ("alice:h:::::", "userinfo", "the uid is no number from 0 to 4294967295"),
        ("alice:h:1::::", "userinfo", "the gid is no number from 0 to 4294967295"),
        ("alice:h:1:2:::", "userinfo", "no home directory"),
        ("alice::1:2::/h", "credentials", "no password"),
    ],
)
def test_empty_fields_are_errors_as_in_c(path: Path, line: str, service: str, fault: str) -> None:
    table = talk(path, line)
    assert table.lookup(service, "alice") == f"error|{path}:1: {fault}"
    assert table.check(service, "alice") == f"error|{path}:1: {fault}"
    other = "credentials" if service == "userinfo" else "userinfo"
    assert table.lookup(other, "alice").startswith("found|")


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("uid", "alice:h:x:1::/h"),
        ("uid", "alice:h:-1:1::/h"),
        ("uid", "alice:h:4294967296:1::/h"),
        ("uid", "alice:h:1 :1::/h"),
        ("uid", "alice:h:\u0661:1::/h"),
        ("gid", "alice:h:1:0x1::/h"),
        ("gid", f"alice:h:1:{'9' * 5000}::/h"),
    ],
)
def test_numbers_that_are_none(path: Path, field: str, line: str) -> None:
    table = talk(path, f"\n{line}\n")
    reason = f"error|{path}:2: the {field} is no number from 0 to 4294967295"
    assert table.lookup("userinfo", "alice") == reason[: len("error|") + 200]
    assert table.lookup("credentials", "alice") == "found|alice:h"  # needs no numbers


def test_names_with_capitals_are_found(path: Path) -> None:
    table = talk(path, "Alice:h:1:2::/h\n")
    assert table.lookup("credentials", "alice") == "found|Alice:h"


def test_of_equal_names_the_last_counts(path: Path) -> None:
    table = talk(path, "alice:a:1:1::/a\nalice:b:1:1::/b\nBob:c:1:1::/c\nBOB:d:1:1::/d\n")
    assert table.lookup("credentials", "alice") == "found|alice:b"
    assert table.lookup("credentials", "bob") == "found|BOB:d"


@pytest.mark.parametrize("names", ["alice Alice", "Alice alice", "Alice alice ALICE"])
def test_a_name_in_lower_case_counts_before_others(path: Path, names: str) -> None:
    text = "".join(f"{name}:of-{name}:1:1::/h\n" for name in names.split())
    assert talk(path, text).lookup("credentials", "alice") == "found|alice:of-alice"


@pytest.mark.parametrize("text", ["", "\n", "# nobody\n", "\r\n", " \t\n", "  # x\n", "#"])
def test_a_file_without_users(path: Path, text: str) -> None:
    assert talk(path, text).lookup("userinfo", "alice") == "not-found"
    assert talk(path, f"{text}\n{ALICE}").check("userinfo", "alice") == "found"


def test_lines_may_be_long(path: Path) -> None:
    table = talk(path, f"{ALICE}:{'x' * 100_000}\nbob:{'h' * 3000}:1:1::/h\n")
    assert table.lookup("credentials", "alice") == "found|alice:$2b$10$abc"
    assert table.lookup("credentials", "bob").startswith("error|")  # smtpd could not take it
    assert table.lookup("userinfo", "bob") == "found|1:1:/h"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("bob", "6 or more fields belong here, not 1"),
        ("bob:secret:1:1:Bob", "6 or more fields belong here, not 5"),
        ("bob:se#cret:1:1:Bob:/h:/bin/sh", "6 or more fields belong here, not 2"),
        (":h:1:1:Bob:/h:/bin/sh", "no name"),
        ("b\0b:h:1:1:Bob:/h:/bin/sh", "a NUL byte"),
    ],
)
def test_a_line_that_cannot_be_used(path: Path, line: str, fault: str) -> None:
    remedy = "write name:hash:uid:gid:comment:home:shell; a # ends the line"
    error = f"{path}:3: {fault}; {remedy}"
    path.write_text(f"{ALICE}\n\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        Passwd(flags(path))
    assert str(caught.value) == error
    table = talk(path, ALICE)
    path.write_text(f"carol:h:1:1::/h\n\n{line}\n")
    assert table.update() == "error|" + error[:200]
    assert table.lookup("credentials", "alice") == "found|alice:$2b$10$abc"
    assert table.lookup("credentials", "carol") == "not-found"


def test_update_takes_the_new_users(path: Path) -> None:
    table = talk(path, ALICE)
    path.write_text("bob:h:1:1::/h\n")
    assert table.update() == "ok"
    assert table.lookup("credentials", "alice") == "not-found"
    assert table.lookup("credentials", "bob") == "found|bob:h"


def test_update_keeps_the_users_of_a_file_that_is_gone(path: Path) -> None:
    table = talk(path, ALICE)
    path.unlink()
    assert table.update().startswith(f"error|{path}: cannot read it: No such file or directory; ")
    path.mkdir()
    assert table.update().startswith(f"error|{path}: a directory, not a regular file; ")
    assert table.check("credentials", "alice") == "found"


@pytest.mark.parametrize("service", ["alias", "domain", "netaddr", "mailaddr", "source"])
def test_other_services_are_errors(path: Path, service: str) -> None:
    assert talk(path, ALICE).lookup(service, "alice") == "error|a passwd file has no such rows"


def test_auth_is_registered_where_the_file_says_so(path: Path) -> None:
    both = ["credentials", "userinfo"]
    assert talk(path, f"# @auth\n{ALICE}").services == [*both, "auth"]
    assert talk(path, f"{ALICE} # @auth\n").services == both
    assert talk(path, f"{ALICE}\n#@auth\n", b"7.8.0").services == both
    assert talk(path, f"# @auth force\n{ALICE}", b"7.6.0p1").services == [*both, "auth"]
    with pytest.raises(ConfigError, match="an unknown argument of @auth"):
        talk(path, f"# @auth off\n{ALICE}")


def test_auth_checks_passwords(path: Path) -> None:
    text = f"# @auth\nAlice:{encrypt('Se:cret')}:::::\nbob:*:::::\ncarol::::::\ndora:plain:::::\n"
    table = talk(path, text)
    assert table.check("auth", "alice:Se:cret") == "found"
    assert table.check("auth", "Alice:Se:cret") == "found"
    for key in ("alice:se:cret", "alice:", "bob:*", "bob:", "carol:", "eve:x", "alice"):
        assert table.check("auth", key) == "not-found"
    answer = table.check("auth", "dora:plain")
    assert answer == "error|dora: cannot check an unknown kind of hash: it is malformed"


def test_hashes_that_are_refused_are_named_by_check(path: Path) -> None:
    costly = "$scrypt$ln=14,r=8,p=+20000$c2FsdA$" + 43 * "A"
    path.write_text(f"# @auth\nalice:*:::::\nbob:{costly}:1:1::/h\n")
    Passwd(flags(path))
    with pytest.raises(ConfigError) as caught:
        Passwd(flags(path, check=True))
    remedy = "make a new one with smtpctl encrypt, or write * to lock the account"
    assert str(caught.value) == (
        f"{path}:3: bob: cannot check a scrypt hash: it is malformed; {remedy}"
    )
    path.write_text(f"bob:{costly}:1:1::/h\n")
    Passwd(flags(path, check=True))


@pytest.mark.parametrize("scheme", ["{CRYPT}", "{sha512-crypt}"])
def test_the_schemes_of_dovecot_are_not_sent(path: Path, scheme: str) -> None:
    """smtpd compares the hash with what crypt(3) makes of it."""
    hash = "$6$salt$" + 86 * "a"
    table = talk(path, f"alice:{scheme}{hash}:1:1::/h\nbob:{{PLAIN}}x:1:1::/h\n")
    assert table.lookup("credentials", "alice") == f"found|alice:{hash}"
    assert table.lookup("credentials", "bob") == "found|bob:{PLAIN}x"


@pytest.mark.parametrize("hash", ["{BLF-CRYPT}$2y$05$x", "{CRYPT}secret", "{ARGON2ID}$argon2id$x"])
def test_what_crypt_cannot_check_is_sent_as_it_is(path: Path, hash: str) -> None:
    table = talk(path, f"alice:{hash}:1:1::/h\n")
    assert table.lookup("credentials", "alice") == f"found|alice:{hash}"


@given(
    st.lists(st.binary(max_size=30) | st.lists(st.binary(max_size=5), min_size=6).map(b":".join))
)
def test_any_bytes_give_users_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(b"\n".join(chunks))
    try:
        users = Users(str(path))
    except ConfigError as error:
        assert error.path == str(path)  # noqa: PT017  either way is right
        return
    for key, user in users.by_name.items():
        raw = user.name.encode("utf-8", "surrogateescape")
        assert raw.lower() == key.encode("utf-8", "surrogateescape")
        assert any(chunk.startswith(raw + b":") for chunk in path.read_bytes().split(b"\n"))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_numbers_come_back(tmp_path_factory: pytest.TempPathFactory, uid: int, gid: int) -> None:
    path = tmp_path_factory.getbasetemp() / "numbers"
    path.write_text(f"a:h:{uid}:{gid}::/h\n")
    assert Passwd(flags(path)).lookup(Service.USERINFO, "a") == f"{uid}:{gid}:/h"


def test_the_program_checks_a_file(path: Path) -> None:
    path.write_text(ALICE)
    ok = (0, f"table-passwd: {CHECKED}\n", "")
    assert program("opensmtpd_tables.passwd", "-n", str(path)) == ok
    path.write_text(f"{ALICE}\nbob\n")
    status, out, errors = program("opensmtpd_tables.passwd", "-n", str(path))
    assert (status, out) == (1, "")
    assert errors.startswith(f"table-passwd: {path}:2: 6 or more fields belong here, not 1; ")


def test_the_program_says_how_it_is_used() -> None:
    status, out, _ = program("opensmtpd_tables.passwd", "--help")
    assert status == 0
    assert "  table users passwd:/etc/mail/passwd\n" in out
