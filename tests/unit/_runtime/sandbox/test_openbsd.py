"""The calls that OpenBSD would get, and their order, on stand-ins that C calls."""

import errno
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_char_p, c_int, set_errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from opensmtpd._runtime.sandbox import openbsd
from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs

Call = tuple[str, bytes | None, bytes | None]


class Libc:
    """Notes the calls; ``fails`` has the errno of each that shall fail."""

    def __init__(self, **fails: int) -> None:
        self.calls: list[Call] = []
        kind = CFUNCTYPE(c_int, c_char_p, c_char_p, use_errno=True)
        self._kept = [kind(self._noted(name, fails.get(name))) for name in ("unveil", "pledge")]
        self.library = SimpleNamespace(unveil=self._kept[0], pledge=self._kept[1])

    def _noted(self, name: str, number: int | None) -> Callable[[bytes | None, bytes | None], int]:
        def call(one: bytes | None, other: bytes | None) -> int:
            self.calls.append((name, one, other))
            set_errno(number or 0)
            return -1 if number else 0

        return call


def confine(monkeypatch: pytest.MonkeyPatch, libc: Libc, needs: Needs | None) -> list[str]:
    monkeypatch.setattr(openbsd, "library", lambda: libc.library)
    return openbsd.confine(needs)


def test_files_are_hidden_before_the_promises(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    libc = Libc()
    (tmp_path / "link").symlink_to("key")
    needs = Needs(reads=("/etc/mail/aliases", str(tmp_path / "link")), writes=("/var/tmp",))
    needs |= Needs(sockets=("/run/db.sock",))
    assert confine(monkeypatch, libc, needs) == []
    folder = bytes(tmp_path)
    assert libc.calls == [
        ("unveil", b"/", b""),
        ("unveil", b"/etc/mail/aliases", b"r"),
        ("unveil", folder + b"/link", b"r"),
        ("unveil", folder + b"/key", b"r"),
        ("unveil", b"/var/tmp", b"rwc"),
        ("unveil", b"/run/db.sock", b"rw"),
        ("unveil", None, None),
        ("pledge", b"error stdio rpath wpath cpath unix", None),
    ]


@pytest.mark.parametrize(
    ("needs", "promises"),
    [
        (Needs(), "error stdio"),
        (Needs(reads=("/etc/aliases",)), "error stdio rpath"),
        (Needs(reads=("/var/db/rows.db",), locks=True), "error stdio rpath flock"),
        (Needs(writes=("/var/tmp",), passes=True),
            "error stdio rpath wpath cpath sendfd recvfd"),
        (Needs(network=True), "error stdio inet dns"),
        (Needs(accepts=True), "error stdio unix"),
        (Needs(sockets=("/run/x.sock",)), "error stdio unix"),
        (Needs(forks=True, passes=True), "error stdio proc sendfd recvfd"),
    ],
)  # fmt: skip
def test_promises(needs: Needs, promises: str) -> None:
    assert openbsd.promises(needs) == promises


def test_a_process_that_may_need_anything_promises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc()
    assert confine(monkeypatch, libc, None) == []
    assert libc.calls == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_a_copy_of_a_confined_process_promises_less(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    libc = Libc(unveil=number)
    assert confine(monkeypatch, libc, Needs()) == []
    assert libc.calls[-1] == ("pledge", b"error stdio", None)


def test_a_file_whose_folder_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(unveil=errno.ENOENT)
    (missing,) = confine(monkeypatch, libc, Needs(reads=("/none/x",)))
    assert missing == "unveil failed: No such file or directory"
    assert ("unveil", b"/none/x", b"r") in libc.calls
    assert libc.calls[-1][0] == "pledge"


def test_what_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(unveil=errno.E2BIG, pledge=errno.EINVAL)
    assert confine(monkeypatch, libc, Needs()) == [
        "unveil failed: Argument list too long",
        "pledge failed: Invalid argument",
    ]


def test_a_c_library_without_pledge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openbsd, "library", SimpleNamespace)
    with pytest.raises(LocalError, match="no pledge"):
        openbsd.confine(Needs())
