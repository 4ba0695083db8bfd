"""The programs that opensmtpd(3) shows pass the type checker."""

from pathlib import Path

from mypy import api

from lab.shows import manual


def test_they_type_check(tmp_path: Path) -> None:
    examples = manual.sections((manual.PAGES / "opensmtpd.3").read_text())["EXAMPLES"]
    programs = [each.text for each in manual.displays(examples) if "__main__" in each.text]
    for number, program in enumerate(programs):
        (tmp_path / f"program{number}.py").write_text(program)
    cache = tmp_path.parent / "mypy-cache"
    out, err, code = api.run(["--strict", f"--cache-dir={cache}", *map(str, tmp_path.iterdir())])
    assert (out + err, code) == ("Success: no issues found in 3 source files\n", 0)
