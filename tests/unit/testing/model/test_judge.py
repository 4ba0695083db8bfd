"""The verdict table of filters, row by row: answers out of place, which kill smtpd.

Each row was tried on smtpd 6.8.0p2, 7.6.0p1 and 7.9.0p0 with one mail; the model must say the same,
however the bytes are cut.
"""

import pytest

from opensmtpd.testing import Fatal, Smtpd
from unit.support.smtpd_walk import Write, answer, at_phase, in_data, proceed


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
