"""filter-dkimsign: its options, and what becomes of messages."""

from pathlib import Path

import pytest

from opensmtpd._protocol.filter.registration import registrations
from opensmtpd.answer import Deferred
from opensmtpd.errors import ConfigError, WorkerError
from opensmtpd.testing.sources import take_next
from opensmtpd_filters.dkimsign import make_signer
from unit.support.dkim_material import tags, verifies
from unit.support.dkimsign_flags import ed, make, rsa, table
from unit.support.talk import TEMPFAIL, M, Talk, data, datalines, report, request, result

MESSAGE = [
    b"From: Ann <ann@example.com>",
    b"Date: Thu, 1 Jan 2026 00:00:00 +0000",
    b"Subject: hello",
    b"",
    b"..stuffed",
    b"",
]


def send(talk: Talk, lines: list[bytes]) -> list[bytes]:
    """Send a message; return the lines that come back, the final dot last."""
    answer = talk.say(data(*lines, b".")) + talk.rest()
    assert answer.startswith(datalines(b"")[:-1])
    return [line.split(b"|", 3)[3] for line in answer.splitlines()]


def unstuffed(lines: list[bytes]) -> list[bytes]:
    return [line.removeprefix(b".") for line in lines[:-1]]


# --- what it does -------------------------------------------------------------------------------


def test_only_what_it_needs_is_registered(folder: Path) -> None:
    events, phases = registrations(make(ed(folder)))
    assert events == ["link-disconnect", "tx-reset"]
    assert phases == ["data-line", "commit"]
    events, phases = registrations(make(ed(folder, "-m")))
    assert events == ["link-connect", "link-disconnect", "tx-reset"]


def test_a_message_goes_out_signed_and_otherwise_as_it_came(folder: Path) -> None:
    talk = Talk(make(ed(folder)))
    lines = send(talk, MESSAGE)
    front = len(lines) - len(MESSAGE) - 1
    assert lines[front:] == [*MESSAGE, b"."]
    assert lines[0].startswith(b"DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; s=ed; ")
    assert tags(lines)[b"h"] == b"subject:date:from"
    assert verifies(unstuffed(lines))
    assert talk.say(request(b"commit")) == result(b"proceed")


def test_nobody_waits_while_a_worker_signs(folder: Path) -> None:
    talk = Talk(make(rsa(folder, "-c", "relaxed/relaxed", "-t", "-x", "60", "-zz")))
    assert talk.say(data(*MESSAGE, b".")) == b""
    assert not talk.protocol.dispatcher.take_jobs()  # no thread either
    lines = [line.split(b"|", 3)[3] for line in talk.rest().splitlines()]
    assert set(tags(lines)) == {b"v", b"a", b"c", b"s", b"z", b"t", b"x", b"bh", b"h", b"d", b"b"}
    assert verifies(unstuffed(lines))


def test_a_large_header_is_left_to_a_thread(folder: Path) -> None:
    talk = Talk(make(ed(folder)))
    header = [b"X: " + b"x" * 60_000] * 2
    assert talk.say(data(*header, *MESSAGE, b".")) == b""
    assert talk.finish(talk.job()) == b""
    assert b"|DKIM-Signature: " in talk.rest()[:100]


def test_messages_of_one_session_are_signed_apart(folder: Path) -> None:
    talk = Talk(make(ed(folder)))
    first, second = (send(talk, MESSAGE) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ([b"Subject: x", b"", b"body"], 'reason="no From field"'),
        ([b"", b"body"], 'reason="no From field"'),
        ([], 'reason="no From field"'),
        ([b"From: a@", b""], 'reason="no domain in From"'),
        (
            [b"From: root", b""],
            'reason="a bare address in From, which smtpd will complete"',
        ),
        (
            [b"From: a@elsewhere.example", b""],
            'reason="no key for the domain" domain=elsewhere.example',
        ),
    ],
)
def test_what_cannot_be_signed_goes_out_as_it_came(
    folder: Path, message: list[bytes], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    talk = Talk(make(ed(folder, "-u", "skip")))
    assert send(talk, message) == [*message, b"."]
    assert capfd.readouterr().err == f"1718c5e591926d28 dkim-unsigned {reason}\n"
    assert talk.say(request(b"commit")) == result(b"proceed")


def test_what_cannot_be_signed_may_be_refused(folder: Path) -> None:
    talk = Talk(make(ed(folder, "--unsigned", "refuse")))
    assert send(talk, [b"From: root", b"", b"body"]) == [b"."]
    assert talk.say(request(b"commit")) == result(
        b"reject|550 5.7.20 Cannot be signed with DKIM:"
        b" a bare address in From, which smtpd will complete"
    )
    assert talk.say(report(b"tx-reset", b"00000000")) == b""
    assert len(send(talk, MESSAGE)) > len(MESSAGE) + 1  # the next one is signed
    assert talk.say(request(b"commit")) == result(b"proceed")


def test_skipped_is_unsigned_too(folder: Path) -> None:
    talk = Talk(make(ed(folder, "-u", "skip", "--unsigned", "refuse")))
    assert send(talk, [b"From: a@elsewhere.example", b""]) == [b"."]
    assert talk.say(request(b"commit")) == result(
        b"reject|550 5.7.20 Cannot be signed with DKIM: no key for the domain"
    )


def test_what_smtpd_completes_is_logged(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    talk = Talk(make(ed(folder)))
    lines = send(talk, [*MESSAGE[:1], b"To: root", b"Cc: root", *MESSAGE[1:]])
    assert tags(lines)[b"h"] == b"subject:date:from"
    assert capfd.readouterr().err == (
        "1718c5e591926d28 dkim-not-covered fields=to,cc"
        ' reason="a bare address, which smtpd will complete"\n'
    )


CONNECT = [b"client.example", b"pass", b"192.0.2.5:4711"]


@pytest.mark.parametrize(
    ("destination", "added"),
    [(b"192.0.2.1:587", 2), (b"unix:/var/run/smtpd.sock", 2), (b"192.0.2.1:25", 0)],
)
def test_missing_fields_are_added_where_smtpd_would(
    folder: Path, destination: bytes, added: int
) -> None:
    talk = Talk(make(ed(folder, "-m")))
    message = [MESSAGE[0], *MESSAGE[2:]]
    lines = send_after(talk, destination, message)
    names = [line.partition(b":")[0] for line in lines[: len(lines) - len(message) - 1]]
    assert names[len(names) - added :] == [b"Date", b"Message-ID"][:added]
    assert tags(lines)[b"h"] == (b"subject:from:date" if added else b"subject:from")
    assert verifies(unstuffed(lines))


def send_after(talk: Talk, destination: bytes, message: list[bytes]) -> list[bytes]:
    talk.say(report(b"link-connect", *CONNECT, destination))
    return send(talk, message)


# --- key tables ---------------------------------------------------------------------------------


def test_a_key_table_signs_with_each_key_of_the_domain(folder: Path) -> None:
    flags = table(folder, "example.com mail rsa.key\nexample.com ed ed.key\nb.example ed ed.key\n")
    talk = Talk(make(flags))
    lines = send(talk, MESSAGE)
    signatures = [line for line in lines if line.startswith(b"DKIM-Signature:")]
    assert [b"a=rsa-sha256" in signatures[0], b"a=ed25519-sha256" in signatures[1]] == [True] * 2
    assert verifies(unstuffed(lines), 0)
    assert verifies(unstuffed(lines), 1)


def test_a_key_table_signs_other_domains_as_its_first_unless_told_otherwise(folder: Path) -> None:
    flags = table(folder, "example.com ed ed.key\nexample.org ed ed.key\n")
    other = [b"From: a@elsewhere.example", b""]
    assert tags(send(Talk(make(flags)), other))[b"d"] == b"example.com"
    assert send(Talk(make([*flags, "-u", "skip"])), other) == [*other, b"."]


def test_one_key_signs_other_domains_unless_told_otherwise(folder: Path) -> None:
    other = [b"From: a@elsewhere.example", b""]
    assert tags(send(Talk(make(ed(folder))), other))[b"d"] == b"example.com"
    assert send(Talk(make(ed(folder, "-u", "skip"))), other) == [*other, b"."]


@pytest.mark.parametrize("configured", ["b\u00fccher.example", "XN--bcher-kva.example"])
@pytest.mark.parametrize(
    "author", [b"j@b\xc3\xbccher.example", b"j@B\xc3\x9cCHER.example", b"j@xn--bcher-kva.EXAMPLE"]
)
def test_a_domain_in_another_script(folder: Path, configured: str, author: bytes) -> None:
    """Whichever form From and configuration have, d= has the A-label (RFC 8616)."""
    message = [b"From: J <" + author + b">", b"", b"body"]
    flags = ed(folder, "-d", configured)
    assert tags(send(Talk(make(flags)), message))[b"d"].lower() == b"xn--bcher-kva.example"
    text = f"example.com ed ed.key\n{configured} ed ed.key\n"
    (folder / "table").write_text(text, encoding="utf-8")
    lines = send(Talk(make(["-f", str(folder / "table"), "-u", "skip"])), message)
    assert tags(lines)[b"d"].lower() == b"xn--bcher-kva.example"
    assert verifies(unstuffed(lines))


def test_reload_reads_all_anew(folder: Path) -> None:
    filter = make(table(folder, "example.com ed ed.key\n"))
    talk = Talk(filter)
    table(folder, "example.com new ed.key\n")
    swap = filter.reload().function()
    assert tags(send(talk, MESSAGE))[b"s"] == b"ed"  # until the new one is in place
    talk.say(data(*MESSAGE[:2]))
    swap()
    assert tags(send(talk, MESSAGE[2:]))[b"s"] == b"ed"  # a message keeps what it began with
    assert tags(send(talk, MESSAGE))[b"s"] == b"new"


def test_reload_keeps_the_old_where_the_new_is_wrong(folder: Path) -> None:
    filter = make(table(folder, "example.com ed ed.key\n"))
    table(folder, "example.com ed none.key\n")
    with pytest.raises(ConfigError):
        filter.reload().function()
    assert tags(send(Talk(filter), MESSAGE))[b"s"] == b"ed"


def test_a_message_may_end_after_the_reload_that_took_its_key_away(folder: Path) -> None:
    filter = make(table(folder, "example.com ed ed.key\n"))
    talk = Talk(filter)
    talk.say(data(*MESSAGE[:2]))
    table(folder, "example.com mail rsa.key\n")
    filter.reload().function()()
    lines = send(talk, MESSAGE[2:])
    assert tags(lines)[b"s"] == b"ed"
    assert verifies(unstuffed(lines))
    assert tags(send(talk, MESSAGE))[b"s"] == b"mail"


def test_a_reload_while_a_worker_signs(folder: Path) -> None:
    filter = make(table(folder, "example.com ed ed.key\n"))
    talk = Talk(filter)
    assert talk.say(data(*MESSAGE, b".")) == b""
    table(folder, "example.com mail rsa.key\n")
    filter.reload().function()()
    assert b" s=ed;" in talk.rest()
    assert tags(send(talk, MESSAGE))[b"s"] == b"mail"


@pytest.mark.parametrize("reply", [None, [], [b"x"]], ids=repr)
@pytest.mark.parametrize("more", [[], [b"X: " + b"x" * 10_000]], ids=["small", "large"])
def test_what_a_worker_cannot_sign_is_refused(
    folder: Path, reply: object, more: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that answers nonsense leads to 451, as any failure does, to nothing unsigned."""

    def ask(_request: object) -> Deferred[object]:
        answer: Deferred[object] = Deferred()
        if reply is None:
            answer.fail(WorkerError("no answer in time"))
        else:
            answer.settle(reply)
        return answer

    filter = make(ed(folder))
    monkeypatch.setattr(filter.pool, "ask", ask)
    talk = Talk(filter)
    assert send(talk, [*more, *MESSAGE]) == [b"."]
    assert talk.say(request(b"commit")) == result(TEMPFAIL)
    assert [line.split()[1:3] for line in talk.logged] == [["handler-failed", "handler=end"]]


def test_an_unknown_key_is_refused(folder: Path) -> None:
    filter = make(ed(folder))
    filter.signer = make_signer(filter.flags, [[("example.com", "ed", "ed25519-sha256", b"?")], []])
    talk = Talk(filter)
    assert send(talk, MESSAGE) == [b"."]
    assert talk.say(request(b"commit")) == result(TEMPFAIL)


def test_a_client_that_vanishes_while_a_worker_signs(folder: Path) -> None:
    talk = Talk(make(ed(folder)))
    talk.say(data(*MESSAGE, b"."))
    talk.say(report(b"tx-reset", b"00000000"), report(b"link-disconnect"))
    assert talk.left() == (0, 0, 0, 0)
    assert take_next()
    assert talk.drain() == b""


def test_a_vanished_client_leaves_nothing(folder: Path) -> None:
    talk = Talk(make(rsa(folder)))
    talk.say(data(*MESSAGE))
    talk.say(report(b"tx-reset", b"00000000"), report(b"link-disconnect"))
    assert talk.left() == (0, 0, 0, 0)


def test_the_token_of_the_answer_is_that_of_the_lines(folder: Path) -> None:
    talk = Talk(make(ed(folder)))
    talk.say(data(*MESSAGE, b"."))
    assert talk.rest().count(b"|" + M + b"|") > len(MESSAGE)
