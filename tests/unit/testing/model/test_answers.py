"""The text of one answer: lines and decisions that smtpd dies of.

Each row was tried on smtpd 6.8.0p2, 7.6.0p1 and 7.9.0p0 with one mail; the model must say the same,
however the bytes are cut.
"""

import pytest

from opensmtpd.testing import Fatal, Smtpd
from opensmtpd.testing.model.answers import FilterLine, check_decision, parse
from opensmtpd.testing.model.registry import RELEASES
from unit.support.smtpd_walk import EVERYTHING, Write, answer, at_phase


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"hello", "Invalid filter message type"),
        (b"", "Invalid filter message type"),
        (b"filter-results|1|2|proceed", "Invalid filter message type"),
        (b"config|ready", "Invalid filter message type"),
        (b"report|1795335705.124479|smtp-in|%s|text", "unexpected direction"),
        (b"report|1795335705.124479|smtp-out|%s|text", "Invalid report: invalid direction"),
        (b"report|now|smtp-in|%s|text", "Invalid report: invalid time"),
        (b"report|1795335705.12|smtp-in|%s|text", "Invalid report: invalid time"),
        (b"filter-result|", "Invalid reqid"),
        (b"filter-result|xyz|1|proceed", "Invalid reqid"),
        (b"filter-result|%s", "Invalid reqid"),
        (b"filter-result|%s|", "Invalid token"),
        (b"filter-result|%s|xyz|proceed", "Invalid token"),
        (b"filter-result|%s|1f08300d56622f13", "Invalid token"),
        (b"filter-dataline|%s|1f08300d56622f13", "Invalid token"),
    ],
)
def test_text_that_is_no_answer(smtpd: Smtpd, line: bytes, reason: str, write: Write) -> None:
    client = smtpd.connect()
    line = line.replace(b"%s", client.id)
    with pytest.raises(Fatal) as death:
        write(smtpd, line + b"\n")
    assert death.value.reason == reason
    assert death.value.line == line


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail-from", "rcpt-to", "data", "commit"])
@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (b"proceed|anything", "Invalid directive"),
        (b"proceed|", "Invalid directive"),
        (b"reject", "Missing parameter"),
        (b"disconnect", "Missing parameter"),
        (b"rewrite", "Missing parameter"),
        (b"", "Missing parameter"),
        (b"bogus", "Missing parameter"),
        (b"bogus|text", "Invalid directive"),
        (b"junk|text", "Invalid directive"),
        (b"PROCEED", "Missing parameter"),
        (b"proceed ", "Missing parameter"),
        (b"proceed\r", "Missing parameter"),
        (b"junk\r", "Missing parameter"),
        (b"reject|550 no\r", "Invalid directive"),
    ],
)
def test_deadly_decisions(
    smtpd: Smtpd, phase: str, decision: bytes, reason: str, write: Write
) -> None:
    client = at_phase(smtpd, phase)
    with pytest.raises(Fatal) as death:
        write(smtpd, answer(smtpd, client, decision))
    assert death.value.reason == reason


def test_junk_at_commit(smtpd: Smtpd, write: Write) -> None:
    client = at_phase(smtpd, "commit")
    with pytest.raises(Fatal, match="junk after DATA"):
        write(smtpd, answer(smtpd, client, b"junk"))


def test_decision_report_is_none_before_7_6(write: Write) -> None:
    model = Smtpd("6.8.0")
    model.receive(EVERYTHING)
    client = at_phase(model, "ehlo")
    with pytest.raises(Fatal, match="Invalid directive"):
        write(model, answer(model, client, b"report|text"))


# --- the parser by itself -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (
            b"filter-result|1718c5e591926d28|1f08301bf13c4c1f|reject|550 No|x",
            (b"filter-result", b"1718c5e591926d28", b"1f08301bf13c4c1f", b"reject|550 No|x"),
        ),
        (
            b"filter-result|ABC|F|",
            (b"filter-result", b"0000000000000abc", b"000000000000000f", b""),
        ),
        (
            b"filter-dataline|0|0|a|b\xff|",
            (b"filter-dataline", b"0" * 16, b"0" * 16, b"a|b\xff|"),
        ),
    ],
)
def test_the_parts_of_an_answer(line: bytes, parts: tuple[bytes, ...]) -> None:
    assert parse(line) == parts


@pytest.mark.parametrize("number", [b"", b"+1", b" 1", b"0x1", b"1 ", b"g", b"1" * 17])
def test_numbers_are_plain(number: bytes) -> None:
    for line, reason in ((b"%s|1|x", "Invalid reqid"), (b"1|%s|x", "Invalid token")):
        with pytest.raises(Fatal) as death:
            parse(b"filter-result|" + line % number)
        assert death.value.reason == reason


@pytest.mark.parametrize(
    ("text", "decision", "parameter"),
    [
        (b"proceed", "proceed", b""),
        (b"reject|550 No", "reject", b"550 No"),
        (b"rewrite|<a|b>", "rewrite", b"<a|b>"),
        (b"rewrite|", "rewrite", b""),
    ],
)
def test_a_decision_and_its_parameter(text: bytes, decision: str, parameter: bytes) -> None:
    line = FilterLine(b"1", b"2", "data", text)
    assert (line.decision, line.parameter) == (decision, parameter)


@pytest.mark.parametrize(
    ("response", "phase", "version"),
    [
        (b"proceed", "commit", "7.9.0"),
        (b"junk", "data", "7.9.0"),
        (b"reject|", "commit", "6.8.0"),
        (b"disconnect|421 x", "connect", "6.8.0"),
        (b"rewrite|x", "quit", "7.6.0"),
        (b"report|x", "ehlo", "7.6.0"),
    ],
)
def test_decisions_that_smtpd_takes(response: bytes, phase: str, version: str) -> None:
    check_decision(response, phase, RELEASES[version], b"")
