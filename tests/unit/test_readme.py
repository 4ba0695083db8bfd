"""The filters of docs/write.md are filters, its table is a table, and its test passes.

The folders of CONTRIBUTING.md are there, and none of the tree is left out there.
"""

import re
from pathlib import Path
from typing import Any

from lab.root.plugin import TREE
from lab.shows import markdown
from lab.shows.markdown import DOCS
from opensmtpd.dns import Failed, Found, Question, RecordType
from opensmtpd.filter import Filter
from opensmtpd.testing import Zone, run_message
from unit.support.table_talk import Talk

BLOCKS = [block.text for block in markdown.blocks(DOCS / "write.md") if block.kind == "python"]


def run(source: str, names: dict[str, Any]) -> None:
    exec(compile(source, "write.md", "exec"), names)


def test_the_first_filter_fits_in_fifteen_lines_and_its_test_passes() -> None:
    names: dict[str, Any] = {"__name__": "selfhelo"}
    filter, own_test = BLOCKS[0], BLOCKS[2]
    run(filter, names)
    run(own_test, names)
    assert names["outcome"].accepted is False
    code = [line for line in filter.splitlines() if line.strip()]
    assert len([line for line in code if not line.startswith(("from", '"""'))]) <= 15


def test_uses_names_what_sessions_have() -> None:
    names: dict[str, Any] = {"Filter": Filter}
    run(BLOCKS[1], names)
    assert names["NoStrangers"].uses == ("rdns", "username")


def test_the_table_fits_in_fifteen_lines_and_answers() -> None:
    names: dict[str, Any] = {"__name__": "numbered"}
    run(BLOCKS[3], names)
    talk = Talk(names["Numbered"]())
    assert talk.services == ["alias"]
    assert talk.lookup("alias", "alice7") == "found|alice"
    assert talk.lookup("alias", "alice") == "not-found"
    code = [line for line in BLOCKS[3].splitlines() if line.strip()]
    assert len([line for line in code if not line.startswith(("from", '"""'))]) <= 15


def test_the_filter_that_asks_the_dns_fits_in_fifteen_lines_and_judges() -> None:
    names: dict[str, Any] = {"__name__": "knownsender"}
    run(BLOCKS[4], names)
    known = {Question("known.example", RecordType.MX): Found(("mx.known.example",))}
    unknown = {Question("slow.example", RecordType.A): Failed("timeout")}
    filter = names["KnownSender"](Zone({**known, **unknown}))
    for sender, accepted in (("a@known.example", True), ("a@slow.example", True), ("", True),
                             ("a@none.example", False)):  # fmt: skip
        outcome = run_message(filter, b"Subject: hi\n\nhello\n", sender=sender.encode())
        assert outcome.accepted is accepted
    code = [line for line in BLOCKS[4].splitlines() if line.strip()]
    assert len([line for line in code if not line.startswith(("from", '"""'))]) <= 15


# --- the tree -------------------------------------------------------------------------------------

CONTRIBUTING = (TREE / "CONTRIBUTING.md").read_text()
HOUSE = next(
    block.text
    for block in markdown.blocks(TREE / "CONTRIBUTING.md")
    if (block.heading, block.kind) == ("The house", "text")
)


def house() -> list[str]:
    """Return the paths in the picture of the house; a line that is indented lies in the last."""
    found, top = [], ""
    for line in HOUSE.splitlines():
        name = line.split()[0]
        top = top if line.startswith(" ") else name
        found.append(top + name if line.startswith(" ") else name)
    return found


def test_the_picture_of_the_house_shows_what_is_there() -> None:
    assert [path for path in house() if not (TREE / path).exists()] == []
    assert all((TREE / path).is_dir() for path in house() if path.endswith("/"))


def below(folder: str) -> set[str]:
    """Return what lies in a folder of the source, without its __init__ and __main__."""
    found = {
        f"{folder}{path.name}{'/' if path.is_dir() else ''}"
        for path in (TREE / folder).iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))
    }
    return {path for path in found if "/__" not in path}


def test_the_picture_of_the_house_leaves_no_room_out() -> None:
    assert below("src/opensmtpd/") - set(house()) == set()
    rooms = {path for path in below("src/opensmtpd_cli/") if path.endswith("/")}
    assert rooms - set(house()) == set()
    assert below("tests/") - {"tests/conftest.py"} - set(house()) == set()


def test_what_contributing_names_is_there() -> None:
    named = re.findall(r"`([\w./-]+/[\w./-]*)`", CONTRIBUTING)
    known = [path for path in named if path.startswith(("src", "filters", "tables", "tests",
                                                       "packaging", "examples"))]  # fmt: skip
    assert len(known) > 20
    assert [path for path in known if "NAME" not in path and not (TREE / path).exists()] == []
    new = {str(Path(path).parent) for path in known if "NAME" in path}
    assert [folder for folder in new if not (TREE / folder).is_dir()] == []


def test_the_picture_of_the_house_has_each_folder_of_the_tree() -> None:
    tops = {path.name for path in TREE.iterdir() if path.is_dir() and path.name[0] != "."}
    assert tops - {"build", "dist"} == {path.split("/")[0] for path in house()}


def test_the_readme_fits_on_a_screen_or_two() -> None:
    assert len((TREE / "README.md").read_text().splitlines()) < 90
