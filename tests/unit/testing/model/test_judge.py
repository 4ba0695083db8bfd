"""The verdict table of filters, row by row: what kills smtpd.

Each row was tried on smtpd 6.8.0p2, 7.6.0p1 and 7.9.0p0 with one mail; the model must say the same,
however the bytes are cut.
"""

import pytest

from opensmtpd.testing import Fatal, Smtpd
from unit.support.smtpd_walk import EVERYTHING, VERSIONS, Write, answer, at_phase, in_data, proceed

# --- at start -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"register|filter|smtp-in|bogus", "Unrecognized report name"),
        (b"register|report|smtp-in|bogus", "Unrecognized report name"),
        (b"register|filter|smtp-out|data", "Invalid message direction"),
        (b"register|report|smtp|timeout", "Invalid message direction"),
        (b"register|report|SMTP-IN|timeout", "Invalid message direction"),
        (b"register|bogus", "Invalid register line received"),
        (b"register|ready\r", "Invalid register line received"),
        (b"register|filter|smtp-in|data\r", "Unrecognized report name"),
        (b"hello", "Non-register message before register|ready"),
        (b"", "Non-register message before register|ready"),
        (b"filter-result|1|2|proceed", "Non-register message before register|ready"),
    ],
)
def test_handshake_deaths(version: str, line: bytes, reason: str, write: Write) -> None:
    model = Smtpd(version)
    with pytest.raises(Fatal) as death:
        write(model, line + b"\n")
    assert death.value.reason == reason
    assert death.value.line == line


def test_wiz_is_gone_in_7_9(write: Write) -> None:
    line = b"register|filter|smtp-in|wiz\n"
    write(Smtpd("6.8.0"), line)
    write(Smtpd("7.6.0"), line)
    with pytest.raises(Fatal, match="Unrecognized report name"):
        write(Smtpd("7.9.0"), line)


@pytest.mark.parametrize("version", VERSIONS)
def test_registrations_accepted(version: str, write: Write) -> None:
    model = Smtpd(version)
    write(
        model,
        b"register|report|smtp-in|*\nregister|report|smtp-out|link-connect\n"
        b"register|filter|SMTP-IN|data\nregister|ready\n",
    )
    assert model.ready
    assert len(model.events) == 19
    assert model.phases == {"data"}


# --- text that is no answer ---------------------------------------------------------------------


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


# --- answers that kill --------------------------------------------------------------------------


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


def test_data_line_after_the_final_dot(smtpd: Smtpd, write: Write) -> None:
    client = at_phase(smtpd, "commit")
    line = b"filter-dataline|%s|%s|late\n" % (client.id, smtpd.token("data-line"))
    with pytest.raises(Fatal, match="filter-dataline out of dataline phase"):
        write(smtpd, line)


def test_data_line_before_the_first_one_was_sent(smtpd: Smtpd, write: Write) -> None:
    client = at_phase(smtpd, "data")
    line = b"filter-dataline|%s|%s|early\n" % (client.id, smtpd.token("data-line"))
    with pytest.raises(Fatal, match="filter-dataline out of dataline phase"):
        write(smtpd, line)


def test_data_line_after_commit(smtpd: Smtpd, write: Write) -> None:
    client = at_phase(smtpd, "commit")
    proceed(smtpd, client)
    assert client.transactions[0].fate == "accepted"
    line = b"filter-dataline|%s|%s|.\n" % (client.id, smtpd.token("data-line"))
    with pytest.raises(Fatal, match="filter-dataline out of dataline phase"):
        write(smtpd, line)


@pytest.mark.parametrize("decision", [b"proceed", b"reject|550 no", b"junk", b"bogus"])
def test_result_during_data_lines(smtpd: Smtpd, decision: bytes, write: Write) -> None:
    client = in_data(smtpd)
    line = b"filter-result|%s|%s|%s\n" % (client.id, smtpd.token("data-line"), decision)
    with pytest.raises(Fatal, match="filter-result in dataline phase"):
        write(smtpd, line)


def test_two_answers_to_one_request(smtpd: Smtpd, write: Write) -> None:
    client = smtpd.connect()
    line = answer(smtpd, client, b"proceed")
    write(smtpd, line)
    with pytest.raises(Fatal, match="second answer"):
        write(smtpd, line)


def test_second_answer_that_comes_in_the_next_phase(smtpd: Smtpd, write: Write) -> None:
    client = smtpd.connect()
    line = answer(smtpd, client, b"proceed")
    write(smtpd, line)
    client.ehlo()
    with pytest.raises(Fatal, match="misbehaving filter"):
        write(smtpd, line)


@pytest.mark.parametrize("decision", [b"proceed", b"junk", b"reject|550 no"])
def test_a_token_never_given(smtpd: Smtpd, decision: bytes, write: Write) -> None:
    client = smtpd.connect()
    with pytest.raises(Fatal, match="misbehaving filter"):
        write(smtpd, b"filter-result|%s|0123456789abcdef|%s\n" % (client.id, decision))


def test_a_token_never_given_for_a_data_line(smtpd: Smtpd, write: Write) -> None:
    client = in_data(smtpd)
    with pytest.raises(Fatal, match="misbehaving filter"):
        write(smtpd, b"filter-dataline|%s|0123456789abcdef|text\n" % client.id)


def test_a_final_dot_before_the_clients(smtpd: Smtpd, write: Write) -> None:
    client = in_data(smtpd)
    line = b"filter-dataline|%s|%s|.\n" % (client.id, smtpd.token("data-line"))
    with pytest.raises(Fatal, match="final dot"):
        write(smtpd, line)


def test_a_line_that_does_not_fit_the_buffer(smtpd: Smtpd, write: Write) -> None:
    client = in_data(smtpd)
    prefix = b"filter-dataline|%s|%s|" % (client.id, smtpd.token("data-line"))
    longest = prefix + b"x" * (65535 - len(prefix))
    write(smtpd, longest + b"\n")
    assert client.transactions[0].lines == [b"x" * 65485]
    with pytest.raises(Fatal, match="longer than the buffer"):
        write(smtpd, longest + b"x\n")


def test_decision_report_is_none_before_7_6(write: Write) -> None:
    model = Smtpd("6.8.0")
    model.receive(EVERYTHING)
    client = at_phase(model, "ehlo")
    with pytest.raises(Fatal, match="Invalid directive"):
        write(model, answer(model, client, b"report|text"))


def test_the_process_exits(smtpd: Smtpd) -> None:
    with pytest.raises(Fatal, match="lost processor"):
        smtpd.exited()
