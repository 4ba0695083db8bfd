"""Results that go to a disk that is full: it is said what was done, and what is to do."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opensmtpd_cli.system import new_file
from unit.support.swap import Program, guide, smtpd_conf

_CODE = "import os; os.geteuid = lambda: 1000; from opensmtpd_cli.main import main; main()"


def run_full(*arguments: object, text: str = "") -> str:
    """Run the program with /dev/full as standard output, and return its complaint."""
    with open("/dev/full", "wb") as full:
        said = subprocess.run(
            [sys.executable, "-c", _CODE, "--quiet", *map(str, arguments)],
            stdout=full, stderr=subprocess.PIPE, input=text, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert said.returncode == 1
    return said.stderr.partition(": ")[2]


def test_import_is_done_but_its_diff_is_not_there(tmp_path: Path) -> None:
    conf = smtpd_conf(tmp_path, "table few { x }\n")
    assert run_full("import", conf, tmp_path / "db") == (
        f"{tmp_path}/db: written, but the diff could not be printed: No space left on device;"
        " do it again, with --force\n"
    )
    assert (tmp_path / "db").exists()


def test_a_user_is_added_but_the_line_of_the_new_table_is_not_there(
    run: Program, tmp_path: Path
) -> None:
    database = tmp_path / "db"
    assert run("import", smtpd_conf(tmp_path, "table few { x }\n"), database).status == 0
    assert run_full("user", "add", database, "carol", text="one\n") == (
        f"{database}: carol was added, but the lines for smtpd.conf could not be printed: No space"
        f" left on device; write one for sqlite:{tmp_path}/credentials.conf\n"
    )
    assert run("user", "list", database).out == "carol\n"
    assert (tmp_path / "credentials.conf").exists()


def test_the_file_that_finds_no_room_is_named(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """A file on a full disk."""

        def __init__(self, file: int, _mode: str) -> None:
            self.file = file

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            os.close(self.file)

        def write(self, _data: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(new_file, "open", Full, raising=False)
    said = run("--quiet", "import", guide(mail), db)
    assert (said.status, said.err) == (
        1,
        f"opensmtpd-plugins: {db}: No space left on device\n",
    )
    assert list(db.parent.iterdir()) == []
