"""What a confined process on Linux can do, and what it cannot. Each test confines a child."""

import ctypes
import fcntl
import mmap
import os
import resource
import select
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd._runtime.sandbox import landlock, linux, seccomp
from opensmtpd.needs import Needs
from unit.support.confined import missing, tried

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"this machine has no: {missing()}")

LIBC = ctypes.CDLL(None, use_errno=True)
NOTHING = Needs()
DENIED = {"EACCES", "EPERM"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text("secret")
    return tmp_path


def checked(result: int) -> int:
    """Return the result of a call of the C library. Raises OSError for -1."""
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result


# --- what is taken -------------------------------------------------------------------------------


def read(path: str) -> Callable[[], object]:
    return lambda: Path(path).read_text()[:6]


def bind() -> None:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))


ATTEMPTS: dict[str, Callable[[], object]] = {
    "passwd": read("/etc/passwd"),
    "listing": lambda: os.listdir("/etc"),
    "own memory": lambda: os.open("/proc/self/mem", os.O_RDWR),
    "tcp": lambda: socket.socket().fileno(),
    "udp": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).fileno(),
    "unix": lambda: socket.socket(socket.AF_UNIX).fileno(),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).fileno(),
    "raw": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).fileno(),
    "bind": bind,
    "signal": lambda: os.kill(os.getppid(), 0),
    "SIGKILL": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "all signals": lambda: os.kill(-1, signal.SIGKILL),
    "pidfd": lambda: os.pidfd_open(os.getppid()),
    "owner of a signal": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid()),
    "number of a signal": lambda: fcntl.fcntl(0, fcntl.F_SETSIG, 9),
    "trace": lambda: checked(LIBC.ptrace(16, os.getppid(), None, None)),
    "other memory": lambda: checked(LIBC.process_vm_readv(os.getppid(), None, 0, None, 0, 0)),
    "other limits": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0)),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "write": lambda: os.open("/var/tmp/confined", os.O_WRONLY | os.O_CREAT),
    "mkdir": lambda: os.mkdir("/var/tmp/confined"),
    "chmod": lambda: os.chmod("/var/tmp", 0o1777),
    "unlink": lambda: os.unlink("/var/tmp/confined"),
    "setuid": lambda: os.setuid(0),
    "chroot": lambda: os.chroot("/"),
    "unshare": lambda: checked(LIBC.unshare(0x10000000)),
    "write and run": lambda: mmap.mmap(-1, 4096, prot=7).close(),
    "run": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC).close(),
    "memory in files": lambda: os.memfd_create("code"),
    "uring": lambda: checked(LIBC.syscall(425, 1, None)),
    "keyring": lambda: checked(LIBC.keyctl(0, -3, 0)) if hasattr(LIBC, "keyctl") else "EPERM",
    "filter": lambda: checked(LIBC.prctl(22, 2, None)),
    "terminal": lambda: fcntl.ioctl(0, 0x5412, b"x"),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_process_that_needs_nothing(name: str) -> None:
    assert tried(NOTHING, ATTEMPTS[name]) in DENIED


@pytest.mark.parametrize("name", ATTEMPTS.keys() - {"unlink"})
def test_a_process_that_reads_and_writes(folder: Path, name: str) -> None:
    needs = Needs(reads=(str(folder),), writes=(str(folder),), locks=True)
    assert tried(needs, ATTEMPTS[name]) in DENIED


def test_memory_that_was_written_does_not_become_code() -> None:
    def attempt() -> object:
        page = mmap.mmap(-1, 4096)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        return checked(LIBC.mprotect(ctypes.c_void_p(address), 4096, 5))

    assert tried(NOTHING, attempt) in DENIED


def test_it_leaves_no_core_and_gains_no_rights() -> None:
    def attempt() -> object:
        dumpable, no_new_privs, seccomp_mode = (LIBC.prctl(n, 0, 0, 0, 0) for n in (3, 39, 21))
        limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
        return [dumpable, no_new_privs, seccomp_mode, limit]

    assert tried(Needs(forks=True), attempt) == [0, 1, 2, 0]  # others may not ask prctl(2)


def test_a_process_that_may_need_anything() -> None:
    def attempt() -> object:
        limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
        return [read("/etc/passwd")()[:4], LIBC.prctl(39, 0, 0, 0, 0), limit]  # type: ignore[index]

    assert tried(None, attempt) == ["root", 1, 0]


# --- what stays ----------------------------------------------------------------------------------


def test_a_file_is_read_again_after_it_was_replaced(folder: Path) -> None:
    def attempt() -> object:
        first = (folder / "key").read_text()
        (folder / "new").rename(folder / "key")
        return [first, (folder / "key").read_text(), sorted(os.listdir(folder))]

    (folder / "new").write_text("newer")
    needs = Needs(reads=(str(folder / "key"),), writes=(str(folder),))
    assert tried(needs, attempt) == ["secret", "newer", ["key"]]


def test_a_file_is_moved_between_folders_that_are_written(folder: Path) -> None:
    if landlock._version() < 2:
        pytest.skip("Linux 5.19 is the first to let files be moved")

    def attempt() -> object:
        (folder / "key").rename(folder / "other" / "key")
        return [os.listdir(folder), os.listdir(folder / "other")]

    (folder / "other").mkdir()
    assert tried(Needs(writes=(str(folder),)), attempt) == [["other"], ["key"]]


def test_what_is_read_is_not_written(folder: Path) -> None:
    needs = Needs(reads=(str(folder / "key"),))
    assert tried(needs, lambda: (folder / "key").write_text("x")) in DENIED
    assert tried(needs, lambda: (folder / "new").write_text("x")) in DENIED
    assert tried(needs, (folder / "key").unlink) in DENIED
    assert (folder / "key").read_text() == "secret"


def test_of_a_shared_folder_one_file_is_read(tmp_path: Path) -> None:
    with tempfile.NamedTemporaryFile("w", dir="/var/tmp") as file:
        file.write("row")
        file.flush()
        needs = Needs(reads=(file.name,))
        assert tried(needs, read(file.name)) == "row"
        assert tried(needs, lambda: os.listdir("/var/tmp")) in DENIED
        assert tried(needs, read("/etc/passwd")) in DENIED


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    needs = Needs(reads=(str(tmp_path / "none"),), writes=(str(tmp_path / "none"),))
    assert tried(needs, (tmp_path / "none" / "x").read_text) == "ENOENT"
    assert tried(needs, read("/etc/passwd")) in DENIED


def test_files_are_made_renamed_and_removed_in_a_folder(tmp_path: Path) -> None:
    def attempt() -> object:
        path = str(tmp_path / "spool")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.pwrite(descriptor, b"text", 0)
        os.ftruncate(descriptor, 2)
        os.fsync(descriptor)
        os.replace(path, f"{path}.new")
        os.unlink(f"{path}.new")
        with open(path, "wb") as file:
            file.write(b"x")
        return [os.pread(descriptor, 4, 0).decode(), os.listdir(tmp_path)]

    assert tried(Needs(writes=(str(tmp_path),)), attempt) == ["te", ["spool"]]


def test_locks(folder: Path) -> None:
    def attempt() -> object:
        with open(folder / "key", "rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 510, 0x40000002)
            fcntl.lockf(file, fcntl.LOCK_UN, 510, 0x40000002)
            fcntl.flock(file, fcntl.LOCK_SH)
        return "locked"

    assert tried(Needs(reads=(str(folder),), locks=True), attempt) == "locked"
    assert tried(Needs(reads=(str(folder),)), attempt) in DENIED


def test_threads_time_polls_memory_and_chance() -> None:
    def attempt() -> object:
        found: list[bytes] = []
        thread = threading.Thread(target=lambda: found.append(os.urandom(4)))
        thread.start()
        thread.join()
        ours, theirs = socket.socketpair()
        poll, epoll = select.poll(), select.epoll()
        for each in (poll, epoll):
            each.register(theirs, select.POLLIN)
        ours.send(b"x")
        time.sleep(0.001)
        signal.setitimer(signal.ITIMER_REAL, 0)
        ready = len(poll.poll(1000)) + len(epoll.poll(1)) + len(select.select([theirs], [], [])[0])
        mmap.mmap(-1, 1 << 20).close()
        os.set_blocking(theirs.fileno(), False)
        large = bytearray(64 << 20)
        return [len(found[0]), ready, len(large), os.isatty(theirs.fileno()), os.pipe() is not None]

    assert tried(NOTHING, attempt) == [4, 3, 64 << 20, False, True]


def test_threads_are_confined_with_the_process() -> None:
    def attempt() -> object:
        found: list[object] = []

        def run() -> None:
            try:
                found.append(read("/etc/passwd")())
            except OSError as error:
                found.append(error.errno)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return found

    assert tried(Needs(reads=("/work",)), attempt) == [13]


def test_descriptors_cross_a_socket_and_signals_reach_oneself(folder: Path) -> None:
    def attempt() -> object:
        ours, theirs = socket.socketpair()
        with open(folder / "key", "rb") as file:
            socket.send_fds(ours, [b"x"], [file.fileno()])
        _, (descriptor,), _, _ = socket.recv_fds(theirs, 1, 1)
        came: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
        signal.raise_signal(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        return [os.read(descriptor, 9).decode(), came]

    needs = Needs(reads=(str(folder),))
    assert tried(needs, attempt) == ["secret", [signal.SIGUSR1] * 2]


def test_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def attempt() -> object:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.connect(("127.0.0.1", port))
            with socket.create_connection(("127.0.0.1", port), timeout=5) as tcp:
                return bool(tcp.getsockname())

        assert tried(Needs(network=True), attempt) is True
        assert tried(NOTHING, attempt) in DENIED
    assert tried(Needs(network=True), ATTEMPTS["bind"]) in DENIED
    for other in ("unix", "netlink", "raw"):
        assert tried(Needs(network=True), ATTEMPTS[other]) in DENIED


def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "server")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def attempt() -> object:
            with socket.socket(socket.AF_UNIX) as end:
                end.connect(path)
                return end.send(b"hello")

        needs = Needs(sockets=(path,))
        assert tried(needs, attempt) == 5
        assert tried(NOTHING, attempt) in DENIED
    for other in ("tcp", "udp", "netlink", "raw", "bind"):
        assert tried(needs, ATTEMPTS[other]) in DENIED


def test_syslog_is_reached_by_a_socket_of_before_when_it_starts_anew(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with end, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(path)
        first.close()
        os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
            second.bind(path)
            assert tried(NOTHING, lambda: end.sendto(b"line", path)) == 4
            assert second.recv(9) == b"line"


def test_a_stem_makes_copies_that_are_confined_further_and_ends_them(folder: Path) -> None:
    def attempt() -> object:
        quiet = tried(NOTHING, read(str(folder / "key")))
        worker = os.fork()
        if worker == 0:
            while True:
                signal.pause()
        os.kill(worker, signal.SIGKILL)
        _, ended = os.waitpid(worker, 0)
        return [read(str(folder / "key"))(), quiet in DENIED, os.WTERMSIG(ended)]

    assert tried(Needs(reads=(str(folder),), forks=True), attempt) == ["secret", True, 9]


@pytest.mark.parametrize("name", ["exec", "passwd", "signal", "tcp", "write and run"])
def test_a_stem_is_kept_from_all_else(name: str) -> None:
    assert tried(Needs(forks=True), ATTEMPTS[name]) in DENIED


def test_a_thread_of_before_is_told_of() -> None:
    def attempt() -> object:
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        return linux.confine(NOTHING)

    expected = (
        []
        if landlock._version() >= landlock.THREADS_SINCE
        else ["no Landlock for 1 threads that ran before"]
    )
    assert tried(None, attempt) == expected


@pytest.mark.parametrize("name", ["signal", "SIGKILL", "all signals", "pidfd"])
def test_a_front_with_workers_signals_nobody(name: str) -> None:
    assert tried(Needs(passes=True), ATTEMPTS[name]) in DENIED


# --- a machine that offers less ------------------------------------------------------------------


def test_without_landlock_the_rest_is_done(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(landlock, "CREATE", 9999)
    assert tried(NOTHING, ATTEMPTS["tcp"]) in DENIED
    said = 'sandbox-missing reason="no Landlock: Function not implemented"\n'
    assert capfd.readouterr().err == said


def test_without_libseccomp_the_rest_is_done(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(seccomp, "LIBRARY", "libnone.so.2")
    assert tried(NOTHING, read("/etc/passwd")) in DENIED
    said = 'sandbox-missing reason="no libnone.so.2"\n'
    assert capfd.readouterr().err == said
