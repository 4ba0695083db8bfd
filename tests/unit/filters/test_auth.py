"""filter-auth: what becomes of a message, and what is said about it."""

from pathlib import Path
from typing import Any

import pytest

from opensmtpd.dns import Failed
from opensmtpd.errors import ConfigError
from opensmtpd.testing import run_message
from opensmtpd_filters.auth import parser
from unit.support.auth_mail import (
    PLAIN,
    QUARANTINE,
    REJECT,
    SERVFAIL,
    SIGNED,
    SPF,
    WATCH,
    Verifiers,
    front,
    make,
    results,
    send,
)
from unit.support.dkim_made import BODY, field

CACHED = pytest.mark.parametrize("cached", [True, False], ids=["known", "asked"])
REFUSED = b"550 5.7.1 Message refused by the DMARC policy for example.com"
DENY = {"example.com": "v=spf1 -all"}
PASSES = (
    "mx.test; dkim=pass header.s=mail header.d=example.com header.a=rsa-sha256 header.b={};"
    " arc=none; iprev=pass policy.iprev=192.0.2.5; spf=none smtp.helo=mx.example.com; spf=pass"
    " smtp.mailfrom=alice@example.com; dmarc=pass header.from=example.com"
)
TAG = SIGNED.partition(b" b=")[2][:8].decode()
ABOUT = (
    " auth from=example.com address=192.0.2.5 rdns=client.example helo=mx.example.com"
    " mailfrom=alice@example.com iprev=pass spf-helo=none/mx.example.com spf="
)


@CACHED
def test_a_message_that_passes(cached: bool) -> None:
    outcome = send(SIGNED, "", SPF, REJECT, cached=cached)
    assert outcome.accepted
    assert results(outcome) == PASSES.format(TAG)
    assert outcome.message == front(outcome) + outcome.received + SIGNED.replace(b"\r\n", b"\n")
    [line] = outcome.log
    assert line.endswith(
        ABOUT + "pass/example.com dkim=pass/example.com arc=none dmarc=pass/example.com action=none"
    )


@CACHED
def test_by_default_a_message_that_fails_is_only_told_about(cached: bool) -> None:
    outcome = send(PLAIN, "", DENY, REJECT, cached=cached)
    assert (outcome.accepted, outcome.junk) == (True, False)
    assert outcome.decisions == (("commit", b"proceed"),)
    assert results(outcome).endswith(
        " spf=fail smtp.mailfrom=alice@example.com; dmarc=fail header.from=example.com"
        " policy.dmarc=reject"
    )
    assert b"X-Spam" not in outcome.message
    [line] = outcome.log
    assert line.endswith(
        ABOUT + "fail/example.com dkim=none arc=none dmarc=fail/example.com policy=reject"
        ' action=none reason="DMARC policy of example.com: reject"'
    )


def test_a_sender_that_smtpd_does_not_report_is_no_bounce() -> None:
    zone = SPF | {"client.example": "v=spf1 +all"}
    text = PLAIN.replace(b"\r\n", b"\n")
    outcome = run_message(make("", zone, REJECT), text, sender=b"x" * 250 + b"@example.com")
    assert results(outcome).endswith(
        "; spf=pass smtp.helo=client.example;"
        ' spf=none reason="smtpd does not report a sender of more than 254 bytes";'
        " dmarc=fail header.from=example.com policy.dmarc=reject"
    )


def test_the_source_route_of_a_sender_is_left_out() -> None:
    text = PLAIN.replace(b"\r\n", b"\n")
    outcome = run_message(make("", SPF, REJECT), text, sender=b"@x.example:alice@example.com")
    assert " spf=pass smtp.mailfrom=alice@example.com; dmarc=pass " in results(outcome)


@CACHED
def test_enforced_the_message_is_refused_when_it_is_complete(cached: bool) -> None:
    outcome = send(PLAIN, "--enforce", DENY, REJECT, cached=cached)
    assert (outcome.accepted, outcome.reply) == (False, REFUSED)
    assert " policy=reject action=reject " in outcome.log[0]


@CACHED
def test_enforced_a_message_is_marked_as_junk(cached: bool) -> None:
    outcome = send(b"X-Spam: No\r\n" + PLAIN, "--enforce", DENY, QUARANTINE, cached=cached)
    assert outcome.accepted
    assert front(outcome).endswith(
        b"\nX-Spam: Yes\nX-Spam-Reason: auth; DMARC policy of example.com: quarantine\n"
    )
    assert b"X-Spam: No" not in outcome.message
    assert " policy=quarantine action=quarantine " in outcome.log[0]


@pytest.mark.parametrize("zone", [WATCH, {}])
def test_enforced_a_domain_that_asks_for_nothing(zone: Any) -> None:
    outcome = send(PLAIN, "--enforce", DENY, zone)
    assert outcome.accepted
    assert b"X-Spam" not in outcome.message


@CACHED
@pytest.mark.parametrize(
    ("message", "broken"),
    [
        (PLAIN, "example.com"),
        (PLAIN, "_dmarc.example.com"),
        (SIGNED, "mail._domainkey.example.com"),
    ],
)
def test_what_the_dns_does_not_tell_never_refuses(
    message: bytes, broken: str, cached: bool
) -> None:
    line = "--enforce --protect-own example.com"
    strict = line if broken != "_dmarc.example.com" else "--enforce"
    outcome = send(message, strict, DENY, REJECT, {broken: SERVFAIL}, cached=cached)
    assert outcome.accepted
    assert "; dmarc=temperror reason=" in results(outcome)
    assert " action=none " in outcome.log[0]


# --- the authserv-id, and what was forged ---------------------------------------------------------


def test_without_an_id_the_field_has_the_servers_name() -> None:
    outcome = run_message(make(authserv_id=""), PLAIN.replace(b"\r\n", b"\n"))
    assert results(outcome).startswith("example.com; dkim=none; ")  # as the model says


def test_forged_results_are_removed() -> None:
    forged = b"Authentication-Results: MX.TEST; dmarc=pass\r\n header.from=example.com\r\n"
    other = b"Authentication-Results: mx.other; dmarc=pass\r\n"
    outcome = send(forged + other + PLAIN, "", REJECT)
    assert outcome.message == (
        front(outcome) + outcome.received + (other + PLAIN).replace(b"\r\n", b"\n")
    )


def test_a_signature_may_cover_what_is_removed() -> None:
    forged = b"Authentication-Results: mx.test; none\r\n"
    header = [forged, b"From: a@example.com\r\n"]
    signed = field(names=b"authentication-results:from", header=header)
    message = signed + b"".join(header) + b"\r\n" + BODY
    assert "dkim=pass " in results(send(message, "", REJECT))


def test_arc_authentication_results() -> None:
    outcome = send(SIGNED, "-A", SPF, REJECT)
    assert outcome.message.startswith(b"ARC-Authentication-Results: i=1; mx.test; dkim=pass ")
    assert results(outcome) == "i=1; " + PASSES.format(TAG)


# --- who is not judged ----------------------------------------------------------------------------


def said(outcome: Any) -> tuple[bytes, tuple[str, ...]]:
    return front(outcome), outcome.log


NOT_JUDGED = b"Authentication-Results: mx.test; none (not judged: %s)\n"


@pytest.mark.parametrize(
    ("client", "why"),
    [
        ({"username": b"alice", "tls": True}, b"authenticated"),
        ({"source": b"unix:/var/run/smtpd.sock"}, b"local"),
        ({"source": b"127.0.0.1:4711", "rdns": b"localhost"}, b"local"),
        ({"source": b"198.51.100.7:4711"}, b"listed"),
        ({"rdns": b"mx.friend.example"}, b"listed"),
    ],
)
def test_own_and_listed_clients_are_not_judged(
    client: dict[str, Any], why: bytes, tmp_path: Path
) -> None:
    (tmp_path / "spared").write_text("198.51.100.0/24\n*.friend.example\n")
    line = f"--enforce --spf-reject --protect-own example.com --exempt {tmp_path}/spared"
    filter = make(line, DENY, REJECT)
    outcome = run_message(
        filter, PLAIN.replace(b"\r\n", b"\n"), sender=b"alice@example.com", **client
    )
    assert outcome.accepted
    assert front(outcome) == NOT_JUDGED % why
    assert filter.court.dns.asked == []  # type: ignore[attr-defined]
    assert filter.court.pool.asked == []  # type: ignore[attr-defined]
    [logged] = outcome.log
    assert f" auth-exempt exempt={why.decode()} " in logged


def test_a_listed_forwarder_is_judged_and_nothing_follows(tmp_path: Path) -> None:
    (tmp_path / "forwarders").write_text("192.0.2.5\n")
    line = f"--enforce --spf-reject --forwarder {tmp_path}/forwarders"
    outcome = send(PLAIN, line, DENY, REJECT)
    assert outcome.accepted
    assert results(outcome).endswith(
        'dmarc=fail reason="listed forwarder" header.from=example.com policy.dmarc=none'
    )
    assert ' action=none override="listed forwarder" ' in outcome.log[0]


def test_our_own_policy(tmp_path: Path) -> None:
    (tmp_path / "policies").write_text("example.com reject\n")
    line = f"--enforce --policy {tmp_path}/policies"
    assert send(PLAIN, line, DENY, WATCH).reply == REFUSED
    assert send(SIGNED, line, DENY, WATCH).accepted


# --- SPF alone ------------------------------------------------------------------------------------


@CACHED
def test_spf_alone_refuses_where_that_is_wanted(cached: bool) -> None:
    why = {"example.com": "v=spf1 -all exp=why.example.com", "why.example.com": "see %{i}"}
    outcome = send(SIGNED, "--spf-reject", why, cached=cached)
    text = b"550 5.7.23 SPF: 192.0.2.5 may not send mail of example.com: see 192.0.2.5"
    assert (outcome.accepted, outcome.reply) == (False, text)
    assert outcome.decisions == (("mail-from", b"reject|" + text),)
    assert outcome.log[0].endswith(
        " spf-reject address=192.0.2.5 helo=mx.example.com mailfrom=alice@example.com"
        " domain=example.com mechanism=-all"
    )
    helo = send(SIGNED, "--spf-reject", SPF, {"mx.example.com": "v=spf1 -all"}, cached=cached)
    assert helo.reply == b"550 5.7.23 SPF: 192.0.2.5 may not send mail of mx.example.com"


@pytest.mark.parametrize("said", ["v=spf1 ~all", "v=spf1 ?all", "v=spf1 a:", Failed("x"), "other"])
def test_spf_that_does_not_say_fail_refuses_nothing(said: Any) -> None:
    outcome = send(PLAIN, "--spf-reject", {"example.com": said})
    assert dict(outcome.decisions) == {"mail-from": b"proceed", "commit": b"proceed"}


def test_a_long_explanation_is_cut() -> None:
    long = {
        "example.com": "v=spf1 -all exp=why.example.com",
        "why.example.com": "x" * 999,
    }
    reply = send(PLAIN, "--spf-reject", long).reply
    assert reply.startswith(b"550 5.7.23 SPF: 192.0.2.5 may not send mail of example.com: ")
    assert len(reply) <= 510


# --- From -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "line", "reply"),
    [
        (b"Subject: x\r\n", "--no-from reject", b"its From field has no author"),
        (b"From: \"x <a@b>\"\r\n", "--no-from reject", b"its From field has no author"),
        (b"From: a@a.example, b@b.example\r\n", "--several-from reject",
         b"its From field does not name one author"),
        (b"From: a@a.example\r\nFrom: a@a.example\r\n", "--several-from reject",
         b"its From field does not name one author"),
        (b"From: bob@sub.example.com\r\n", "--protect-own example.com",
         b"authenticate to send mail from sub.example.com"),
        (b"From: \"x <a@b.example>\" <bob@example.com>\r\n", "--protect-own example.com",
         b"authenticate to send mail from example.com"),
    ],
)  # fmt: skip
def test_authors_that_the_administrator_does_not_want(
    header: bytes, line: str, reply: bytes
) -> None:
    message = header + b"\r\n" + BODY
    assert send(message, "").accepted
    assert send(message, line).reply == b"550 5.7.1 Message refused: " + reply
    if "reject" in line:
        junk = send(message, line.replace("reject", "junk"))
        assert b"\nX-Spam: Yes\nX-Spam-Reason: auth; " in front(junk)


@pytest.mark.parametrize(
    "header",
    [
        b"From: ceo@bank.example, a@evil.example\n",
        b"From: ceo@bank.example\nFrom: a@evil.example\n",
        b"From: a@evil.example\nSubject: x\rFrom: ceo@bank.example\n",
        b"From: <ceo@bank.example;>\n",
        b"From: ceo@[bank.example]\n",
        b"Subject: x\n",
    ],
)
def test_nobody_gets_past_enforcement(header: bytes) -> None:
    def reply(line: str) -> bytes | None:
        return run_message(make(line), header + b"\nx\n", sender=b"a@evil.example").reply

    refused = reply("--enforce")
    assert refused is not None
    assert refused.startswith(b"550 5.7.1 Message refused: its From field ")
    assert reply("--enforce --several-from accept --no-from accept") == reply("")


@pytest.mark.parametrize(
    ("header", "reply"),
    [
        (b"From: a@a.example\nX: " + b"x" * 60_000 + (b"\n " + b"x" * 60_000) * 4,
         b"550 5.6.0 Message refused: header too large to be judged"),
        (b"From: a@a.example\nAuthentication-Results\r: mx.test; dmarc=pass",
         b"550 5.6.0 Message refused: a line of its header is no field"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"\n", b"\nx\n"])
def test_headers_that_are_not_judged(header: bytes, reply: bytes, body: bytes) -> None:
    outcome = run_message(make(""), header + b"\n" + body, sender=b"alice@example.com")
    assert outcome.reply == reply


# --- workers, reports, mistakes -------------------------------------------------------------------


def test_a_worker_that_dies_costs_the_result_only() -> None:
    filter = make("--enforce", DENY, REJECT)
    filter.court.pool = Verifiers(broken=True)  # type: ignore[assignment]
    outcome = run_message(filter, SIGNED.replace(b"\r\n", b"\n"), sender=b"alice@example.com")
    assert outcome.accepted
    assert "dkim=temperror " in results(outcome)
    assert outcome.log[0].endswith(" auth-unverified reason=died")


def test_results_are_kept_for_reports(tmp_path: Path) -> None:
    filter = make("--reports " + str(tmp_path / "reports.db"), DENY, REJECT)
    assert filter.court.keeper is not None
    filter.court.keeper.close()
    kept: list[Any] = []
    filter.court.keeper.keep = kept.append  # type: ignore[assignment, method-assign]
    run_message(filter, PLAIN.replace(b"\r\n", b"\n"), sender=b"alice@example.com")
    run_message(filter, b"From: a@example.net\n\nx\n", sender=b"alice@example.com")
    [message] = kept
    assert (message.policy.domain, message.results.disposition) == ("example.com", "none")
    assert message.results.envelope_to == "example.com"


def test_files_are_read_again(tmp_path: Path) -> None:
    spared, policies = tmp_path / "spared", tmp_path / "policies"
    spared.write_text("198.51.100.0/24\n")
    policies.write_text("example.net reject\n")
    filter = make(f"--enforce --exempt {spared} --policy {policies}", DENY, REJECT)
    message = PLAIN.replace(b"\r\n", b"\n")
    assert not run_message(filter, message, sender=b"alice@example.com").accepted
    policies.write_text("example.com none\n")
    filter.reload().function()()
    outcome = run_message(filter, message, sender=b"alice@example.com")
    assert (outcome.accepted, " auth from=" in outcome.log[0]) == (True, True)
    spared.write_text("192.0.2.0/24\n")
    filter.reload().function()()
    assert " auth-exempt exempt=listed " in run_message(filter, message).log[0]
    spared.write_text("no address!\n")
    with pytest.raises(ConfigError, match="is none of these"):
        filter.reload().function()
    assert filter.court.dns.reread == 2  # type: ignore[attr-defined]
    filter.stop()
    assert filter.court.dns.saved == 1  # type: ignore[attr-defined]


def test_only_what_is_used_is_registered() -> None:
    plain = make()
    assert "recipients" not in plain.uses
    assert plain.unused == ("on_mail_from",)
    assert make("--spf-reject").unused == ()


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensmtpd_filters.auth.PACKAGES", ("aiodns", "no_such_package"))
    with pytest.raises(ConfigError) as raised:
        make()
    assert str(raised.value) == (
        "judging mail needs no_such_package; pip install 'opensmtpd-plugins[auth]'"
    )


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigError, match="--dns-deadline is not below half of --deadline"):
        make("--dns-deadline 30")
    with pytest.raises(ConfigError, match="missing"):
        make("--exempt /missing/file")
    with pytest.raises(SystemExit):
        parser().parse_args(["mx.test", "another"])
