"""table-passwd beside the C original: the same file, the same answers, without its faults."""

import random
from pathlib import Path

import pytest

from integration.support.table_pair import Ask, Both, kind
from lab.peers.table_client import Died, TableClient, original, ours

SERVICES = ("credentials", "userinfo")
GOOD = "alice:$6$salt$hash:1000:1000:Alice:/home/alice:/bin/sh\nbob:{SHA}x:1001:100::/home/bob\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "passwd"


def both_of(root: Path, path: Path, text: str) -> Both:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return Both(root, path, "table-passwd")


def starts(command: list[str], path: Path) -> bool:
    try:
        TableClient(command, path).close()
    except Died:
        return False
    return True


@pytest.mark.parametrize(
    ("line", "credentials", "userinfo"),
    [
        ("k:h:1:2:gecos:/home/k:/bin/sh", b"found|k:h", b"found|1:2:/home/k"),
        ("k:h:1:2::/home/k", b"found|k:h", b"found|1:2:/home/k"),
        ("k:h:1:2::/home/k:", b"found|k:h", b"found|1:2:/home/k"),
        ("k:h:1:2::/home/k:/bin/sh:userdb_quota=1:more", b"found|k:h", b"found|1:2:/home/k"),
        ("k:{BLF-CRYPT}$2y$05$x:0:0::/:", b"found|k:{BLF-CRYPT}$2y$05$x", b"found|0:0:/"),
        ("k:h:+1: 2::/home/k", b"found|k:h", b"found|1:2:/home/k"),
        ("k:h:0001:2::/home with space", b"found|k:h", b"found|1:2:/home with space"),
        ("k: h :1:2::/home/k ", b"found|k: h ", b"found|1:2:/home/k "),
        ("k:h:1:2::/home/k:/bin/sh # comment", b"found|k:h", b"found|1:2:/home/k"),
        ("k:h:1:2::/home/ä\udcff", b"found|k:h", b"found|1:2:/home/\xc3\xa4\xff"),
        ("k:h\udcff:1:2::/", b"found|k:h\xff", b"found|1:2:/"),
        ("k:one:1:2::/one\nk:two:3:4::/two", b"found|k:two", b"found|3:4:/two"),
        ("other:h:1:2::/", b"not-found", b"not-found"),
        ("# k:h:1:2::/", b"not-found", b"not-found"),
        ("\n\n#\nk:h:1:2::/", b"found|k:h", b"found|1:2:/"),
        ("k:h:x:2::/", b"found|k:h", b"error"),
        ("k:h:1:-2::/", b"found|k:h", b"error"),
        ("k:h:1:2x::/", b"found|k:h", b"error"),
        ("k:h:4294967296:2::/", b"found|k:h", b"error"),
    ],
)
def test_lines(
    trixie_root: Path, path: Path, line: str, credentials: bytes, userinfo: bytes
) -> None:
    for end in ("\n", ""):
        with both_of(trixie_root, path, line + end) as both:
            assert both.ask(b"lookup", "credentials", b"k") == credentials
            assert both.ask(b"lookup", "userinfo", b"k") == userinfo


@pytest.mark.parametrize(
    "line", ["k", "k:h", "k:h:1:2", "k:h:1:2:gecos", ":h:1:2::/", "k:h:1:2#::/", "k # no fields"]
)
def test_lines_that_no_program_takes(trixie_root: Path, path: Path, line: str) -> None:
    path.write_text(GOOD + line + "\n")
    assert not starts(ours("table-passwd"), path)
    assert not starts(original(trixie_root, "table-passwd"), path)


def test_many_keys(trixie_root: Path, path: Path) -> None:
    dice = random.Random("passwd")
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-_.@|'\"\\% ä\udcff"

    def word() -> str:
        return "".join(dice.choices(alphabet, k=dice.randint(1, 12)))

    names = [word() for _ in range(300)]
    text = "".join(
        f"{name}:{word()}:{dice.randrange(70000)}:{dice.randrange(70000)}:{word()}:/{word()}\n"
        for name in names
    )
    keys = [*names, *(word() for _ in range(300)), "x" * 1023, "|" * 1023, "", "\udcfe" * 500]
    raw = [key.encode("utf-8", "surrogateescape") for key in keys]
    asked: list[Ask] = [(b"lookup", dice.choice(SERVICES), dice.choice(raw)) for _ in range(3000)]
    with both_of(trixie_root, path, text) as both:
        found = sum(answer.startswith(b"found|") for answer in both.agree(asked))
    assert 800 < found < 2200


def test_update(trixie_root: Path, path: Path) -> None:
    with both_of(trixie_root, path, GOOD) as both:
        path.write_text("carol:h:1:2::/home/carol\n")
        assert both.ask(b"lookup", "credentials", b"alice") == b"found|alice:$6$salt$hash"
        assert both.ask(b"update") == b"ok"
        assert both.ask(b"lookup", "credentials", b"alice") == b"not-found"
        assert both.ask(b"lookup", "credentials", b"carol") == b"found|carol:h"


# --- where they differ --------------------------------------------------------------------------


@pytest.mark.parametrize("text", [GOOD + "broken\n", None])
def test_a_failed_update(trixie_root: Path, path: Path, text: str | None) -> None:
    with both_of(trixie_root, path, GOOD) as both:
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
        assert both.theirs.update() == b"ok"
        assert both.ours.update().startswith(b"error|")
        assert both.ask(b"lookup", "userinfo", b"alice") == b"found|1000:1000:/home/alice"


def test_empty_fields_are_errors(trixie_root: Path, path: Path) -> None:
    with both_of(trixie_root, path, "k::::gecos:\n") as both:
        for service in SERVICES:
            assert both.theirs.lookup(service, b"k") == b"error"
            assert both.ours.lookup(service, b"k").startswith(b"error|")


def test_a_large_uid_is_not_negative(trixie_root: Path, path: Path) -> None:
    with both_of(trixie_root, path, "k:h:4294967295:2147483648::/\n") as both:
        assert both.theirs.lookup("userinfo", b"k") == b"found|-1:-2147483648:/"
        assert both.ours.lookup("userinfo", b"k") == b"found|4294967295:2147483648:/"


def test_check(trixie_root: Path, path: Path) -> None:
    with both_of(trixie_root, path, GOOD) as both:
        assert both.theirs.check("credentials", b"alice") == b"error"
        assert both.ours.check("credentials", b"alice") == b"found"
        assert both.ours.check("userinfo", b"nobody") == b"not-found"


def test_white_space_alone(trixie_root: Path, path: Path) -> None:
    path.write_text(GOOD + "   \n")
    assert not starts(original(trixie_root, "table-passwd"), path)
    assert starts(ours("table-passwd"), path)


def test_names_with_capitals(trixie_root: Path, path: Path) -> None:
    """smtpd asks for lower case: the C program never finds them."""
    with both_of(trixie_root, path, "Alice:h:1:2::/\n") as both:
        assert both.theirs.lookup("credentials", b"alice") == b"not-found"
        assert both.ours.lookup("credentials", b"alice") == b"found|Alice:h"


def test_registered_services(trixie_root: Path, path: Path) -> None:
    with both_of(trixie_root, path, GOOD) as both:
        assert "alias" in both.theirs.services
        assert set(both.ours.services) == set(SERVICES)
        assert kind(both.theirs.lookup("alias", b"alice")) == b"error"
