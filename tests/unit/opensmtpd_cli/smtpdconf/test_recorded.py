"""Filters and tables that are recorded."""

from pathlib import Path

import pytest

from opensmtpd_cli.smtpdconf import recorded
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from opensmtpd_cli.smtpdconf.parser import read
from unit.support.swap import smtpd_conf


@pytest.mark.parametrize(
    ("command", "behind"),
    [
        ("filter-record /c -- filter-x -d 'a b'", "filter-x -d 'a b'"),
        ("/opt/filter-record --size 1M /c -- filter-x -- y", "filter-x -- y"),
        ("filter-record /c filter-x", None),
        ("filter-record /c --", None),
        ("filter-record /c -- filter-x >log", None),
        ("filter-x -- filter-y", None),
        ("", None),
    ],
)
def test_the_filter_in_a_command(command: str, behind: str | None) -> None:
    found = recorded.filter_in(FilterEntry("f", command, user="u"))
    assert found == (None if behind is None else FilterEntry("f", behind, user="u"))


def test_the_tables_behind_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("record", "x"):
        (tmp_path / f"table-{name}").touch(0o755)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(f"table record:{two}\ncapture /c\n")
    two.write_text("table x:/conf\ncapture /c\n")
    circle = tmp_path / "circle"
    circle.write_text(f"table record:{circle}\ncapture /c\n")
    conf = f"table a record:{one}\ntable b record:{circle}\ntable c record:/no\ntable d file:/d\n"
    found = read(str(smtpd_conf(tmp_path, conf))).tables
    assert [(each.kind, each.path) for each in recorded.tables(found["a"])] == [
        ("record", str(one)),
        ("record", str(two)),
        ("x", "/conf"),
    ]
    assert [each.path for each in recorded.tables(found["b"])] == [str(circle)]
    assert [each.path for each in recorded.tables(found["c"])] == ["/no"]
    assert list(recorded.tables(found["d"])) == []
