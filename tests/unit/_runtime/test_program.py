"""What the programs of filters and tables have in common, as a process of its own."""

import argparse
import signal
from pathlib import Path

import pytest

from opensmtpd._runtime import program
from opensmtpd.errors import ConfigError, VersionError
from unit.support.child import PREAMBLE, Child
from unit.support.processes import CHECKED

SOURCE = """
import argparse, signal
from opensmtpd._runtime import program
options = argparse.ArgumentParser("some-plugin")
options.add_argument("-n", "--check", action="store_true")
def make(options):
    log("made", check=options.check)
    return "the plugin"
def serve(plugin, options, stdin, stdout):
    os.write(stdout, os.read(stdin, 100).upper())
"""
MAIN = "program.run(make, options, None, serve)\n"


def test_what_is_made_is_served_on_smtpds_descriptors(tmp_path: Path) -> None:
    source = (
        SOURCE
        + """
def serve(plugin, options, stdin, stdout):
    assert (plugin, options.check) == ("the plugin", False)
    os.write(stdout, os.read(stdin, 100).upper())
"""
    )
    with Child(tmp_path, source, main=MAIN) as child:
        child.send(b"hello")
        assert child.wait() == (0, b"HELLO", "made check=False\n")


def test_check_serves_nothing(tmp_path: Path) -> None:
    with Child(tmp_path, SOURCE, "-n", main=MAIN) as child:
        assert child.wait() == (0, f"some-plugin: {CHECKED}\n".encode(), "made check=True\n")


@pytest.mark.parametrize("argv", [[], ["-n"]])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("ConfigError('bad', path='/etc/x', line=3, remedy='mend it')", "/etc/x:3: bad; mend it"),
        ("LocalError('no room')", "no room"),
        ("VersionError('too new')", "too new"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_status_1(
    tmp_path: Path, error: str, text: str, argv: list[str]
) -> None:
    source = SOURCE + f"def make(options):\n    raise {error}\n"
    with Child(tmp_path, source, *argv, main=MAIN) as child:
        assert child.wait() == (1, b"", f"some-plugin: {text}\n")


@pytest.mark.parametrize("argv", [[], ["-n"]])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("ValueError('secret')", "ValueError at {}"),
        ("UnicodeDecodeError('utf-8', b'secret', 0, 1, 'x')", "UnicodeDecodeError at {}"),
        ("OSError(2, 'No such file', '/k')",
            "FileNotFoundError at {}: [Errno 2] No such file: '/k'"),
        ("ImportError('no x')", "ImportError at {}: no x"),
    ],
)  # fmt: skip
def test_any_other_error_is_one_line_with_its_place(
    tmp_path: Path, error: str, text: str, argv: list[str]
) -> None:
    source = SOURCE + f"def make(options):\n    raise {error}\n"
    with Child(tmp_path, source, *argv, main=MAIN) as child:
        place = f"filter.py:{(PREAMBLE + SOURCE).count(chr(10)) + 2}"
        line = f"some-plugin: {text.format(place)}; --debug shows the traceback\n"
        assert child.wait() == (1, b"", line)


def test_debug_shows_where_it_comes_from(tmp_path: Path) -> None:
    source = SOURCE + "options.set_defaults(debug=True)\ndef make(options):\n    {}['key']\n"
    with Child(tmp_path, source, main=MAIN) as child:
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log.startswith("Traceback (most recent call last):\n")
        assert log.endswith("\nKeyError: 'key'\n")


def test_what_serving_raises_is_one_line_too(tmp_path: Path) -> None:
    source = SOURCE + "def serve(*_):\n    raise VersionError('too new')\n"
    with Child(tmp_path, source, main=MAIN) as child:
        assert child.wait() == (1, b"", "made check=False\nsome-plugin: too new\n")


def test_a_wrong_command_line(tmp_path: Path) -> None:
    with Child(tmp_path, SOURCE, "--bogus", main=MAIN) as child:
        status, out, log = child.wait()
        assert (status, out) == (2, b"")
        assert log.startswith("usage: some-plugin ")


def test_the_end_waits_for_no_thread(tmp_path: Path) -> None:
    source = (
        SOURCE
        + """
import threading
def serve(*_):
    threading.Thread(target=lambda: time.sleep(3600)).start()
    print("printed")
"""
    )
    with Child(tmp_path, source, main=MAIN) as child:
        assert child.wait() == (0, b"", "made check=False\nprinted\n")


def test_neither_the_plugin_nor_its_children_reach_smtpd(tmp_path: Path) -> None:
    source = (
        SOURCE
        + """
import subprocess
def make(options):
    print("made", flush=True)
    subprocess.run(["sh", "-c", "cat; echo from a child"])
def serve(plugin, options, stdin, stdout):
    print("input", [sys.stdin.read()], flush=True)
    subprocess.run(["sh", "-c", "cat; echo from another; ls /proc/self/fd | wc -l"])
    os.write(stdout, os.read(stdin, 100))
"""
    )
    with Child(tmp_path, source, main=MAIN) as child:
        child.send(b"for the plugin")
        status, out, log = child.wait()
        assert (status, out) == (0, b"for the plugin")
        lines = log.split("\n")
        assert lines[:4] == ["made", "from a child", "input ['']", "from another"]
        if Path("/proc/self/fd").exists():
            assert lines[4] == "4"  # the three that all have, and ls's own


def test_a_hangup_at_any_time(tmp_path: Path) -> None:
    source = (
        SOURCE
        + """
def make(options):
    os.kill(os.getpid(), signal.SIGHUP)
def serve(plugin, options, stdin, stdout):
    os.kill(os.getpid(), signal.SIGHUP)
    os.write(stdout, b"still here")
"""
    )
    with Child(tmp_path, source, main=MAIN) as child:
        assert child.wait() == (0, b"still here", "")


def test_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser("some-plugin")
    parser.add_argument("-n", "--check", action="store_true")
    before = signal.getsignal(signal.SIGHUP)
    try:
        with pytest.raises(SystemExit) as caught:
            program.run(lambda options: options.check, parser, ["-n"], lambda *_: None)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"some-plugin: {CHECKED}\n"


@pytest.mark.parametrize("error", [ConfigError("bad"), VersionError("bad")])
def test_errors_in_this_process(error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser("some-plugin")
    parser.add_argument("-n", "--check", action="store_true")

    def make(options: argparse.Namespace) -> None:
        raise error

    before = signal.getsignal(signal.SIGHUP)
    try:
        with pytest.raises(SystemExit) as caught:
            program.run(make, parser, ["-n"], lambda *_: None)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert caught.value.code == 1
    assert capfd.readouterr().err == "some-plugin: bad\n"
