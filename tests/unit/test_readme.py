"""The README's filters are filters, and its test passes."""

import re
from pathlib import Path
from typing import Any

from opensmtpd.filter import Filter

README = Path(__file__).parents[2] / "README.md"
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def run(source: str, names: dict[str, Any]) -> None:
    exec(compile(source, str(README), "exec"), names)


def test_the_first_filter_fits_in_fifteen_lines_and_its_test_passes() -> None:
    names: dict[str, Any] = {"__name__": "selfhelo"}
    filter, _, own_test = BLOCKS
    run(filter, names)
    run(own_test, names)
    assert names["outcome"].accepted is False
    code = [line for line in filter.splitlines() if line.strip()]
    assert len([line for line in code if not line.startswith(("from", '"""'))]) <= 15


def test_uses_names_what_sessions_have() -> None:
    names: dict[str, Any] = {"Filter": Filter}
    run(BLOCKS[1], names)
    assert names["NoStrangers"].uses == ("rdns", "username")
