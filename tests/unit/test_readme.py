"""The README's filters are filters, its table is a table, and its test passes."""

from typing import Any

from lab.shows import readme
from opensmtpd.dns import Failed, Found, Question, RecordType
from opensmtpd.filter import Filter
from opensmtpd.testing import run_message
from opensmtpd.testing.zone import Zone
from unit.support.table_talk import Talk

BLOCKS = [block.text for block in readme.blocks() if block.kind == "python"]


def run(source: str, names: dict[str, Any]) -> None:
    exec(compile(source, "README.md", "exec"), names)


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
