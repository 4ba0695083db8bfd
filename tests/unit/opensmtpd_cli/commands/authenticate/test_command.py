"""``authenticate``: what it says of messages of all kinds, with a DNS of plain data."""

import json
import re
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from opensmtpd_cli.main import main
from unit.support.asked_dns import Asked, asking
from unit.support.c_filter_auth import MESSAGE, RSA, ZONE

TXT = RecordType.TXT
REPLIES: dict[Question, Reply] = {
    **{Question(name, TXT): Found(tuple(texts)) for name, texts in ZONE.items()},
    Question("_dmarc.example.com", TXT): Found(("v=DMARC1; p=reject; sp=quarantine",)),
    Question("broken.test", TXT): Failed("SERVFAIL"),
    Question("7.2.0.192.in-addr.arpa", RecordType.PTR): Found(("good.example.net",)),
    Question("good.example.net", RecordType.A): Found(("192.0.2.7",)),
}
CLIENT = ("--client", "192.0.2.7", "--helo", "pass.test", "--from", "alice@pass.test")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setattr("socket.getfqdn", lambda: "mx.test")
    return asking(REPLIES, monkeypatch)


def run(*argv: str, message: str = MESSAGE) -> Result:
    result = CliRunner().invoke(main, ["authenticate", *argv], input=message)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def said(*argv: str, message: str = MESSAGE) -> Any:
    result = run("--json", *argv, message=message)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


# --- text -----------------------------------------------------------------------------------------


def test_everything_that_is_said() -> None:
    result = run(*CLIENT, message=RSA + MESSAGE)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "dkim\tpass\td=example.com s=s a=rsa-sha256 (2048 bits)\t",
        "arc\tnone\t\t",
        "iprev\tpass\t192.0.2.7 good.example.net\t",
        "spf\tpass\tHELO pass.test\tip4:192.0.2.0/24",
        "spf\tpass\tMAIL FROM <alice@pass.test>\tip4:192.0.2.0/24",
        "dmarc\tpass\texample.com\tpolicy reject of example.com, aligned: dkim",
        "",
        "filter-auth --enforce lets it pass",
        "",
        "Authentication-Results: mx.test; dkim=pass header.s=s header.d=example.com",
        '\theader.a=rsa-sha256 header.b="KBB9Ud/Q"; arc=none; iprev=pass',
        "\tpolicy.iprev=192.0.2.7; spf=pass smtp.helo=pass.test; spf=pass",
        "\tsmtp.mailfrom=alice@pass.test; dmarc=pass header.from=example.com",
        "",
        "PTR\t7.2.0.192.in-addr.arpa\tgood.example.net",
        "A\tgood.example.net\t192.0.2.7",
        "TXT\tpass.test\tv=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
        f"TXT\ts._domainkey.example.com\t{ZONE['s._domainkey.example.com'][0]}",
        "TXT\t_dmarc.example.com\tv=DMARC1; p=reject; sp=quarantine",
        "TXT\t_dmarc.com\tno such name",
    ]


def test_without_a_client_neither_spf_nor_its_name_is_judged() -> None:
    lines = run().stdout.splitlines()
    assert lines[:5] == [
        "dkim\tnone\t\tthe message has no signature",
        "arc\tnone\t\t",
        "dmarc\tfail\texample.com\tpolicy reject of example.com, aligned: nothing",
        "",
        "filter-auth --enforce refuses it: 550 5.7.1 Message refused by the DMARC policy for"
        " example.com",
    ]
    assert "spf" not in "".join(lines)
    assert "iprev" not in "".join(lines)


def test_what_is_filed_as_junk() -> None:
    message = MESSAGE.replace("@example.com>\nTo", "@sub.example.com>\nTo")
    assert "filter-auth --enforce has it filed as junk: " in run(message=message).stdout


def test_what_does_not_print_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = Found(("v=DMARC1; p=none\x1b[31m\n",))
    monkeypatch.setitem(REPLIES, Question("_dmarc.example.com", TXT), hostile)
    shown = "TXT\t_dmarc.example.com\tv=DMARC1; p=none\\x1b[31m\\n"
    assert shown in run().stdout.splitlines()


# --- JSON -----------------------------------------------------------------------------------------


def test_json_has_the_result_of_each_mechanism() -> None:
    found = said(*CLIENT, message=RSA + MESSAGE)
    assert found["iprev"] == {"result": "pass", "address": "192.0.2.7"}
    assert found["spf"] == {
        identity: {
            "result": "pass",
            "domain": "pass.test",
            "reason": "",
            "explanation": "",
            "mechanism": "ip4:192.0.2.0/24",
        }
        for identity in ("helo", "mailfrom")
    }
    [signature] = found["dkim"]
    assert (signature["result"], signature["domain"], signature["selector"]) == (
        "pass",
        "example.com",
        "s",
    )
    assert found["arc"] == {
        "result": "none",
        "reason": "",
        "instance": 0,
        "sealers": [],
        "oldest_pass": 0,
    }
    assert found["dmarc"] == {
        "result": "pass",
        "reason": "",
        "domain": "example.com",
        "policy_domain": "example.com",
        "organizational_domain": "example.com",
        "policy": "reject",
        "disposition": "none",
        "dkim_aligned": True,
        "spf_aligned": False,
    }
    assert (found["action"], found["reason"], found["reply"]) == ("none", "", "")
    assert found["field"].startswith("Authentication-Results: mx.test; dkim=pass header.s=s")
    assert found["dns"][-1] == {
        "name": "_dmarc.com",
        "type": "TXT",
        "reply": "no such name",
        "records": [],
        "reason": "",
    }
    assert "judge" not in found


def test_json_of_what_would_be_refused() -> None:
    found = said(*CLIENT)
    assert found["dmarc"]["result"] == "fail"
    assert found["dmarc"]["disposition"] == found["action"] == "reject"
    assert found["reply"] == "550 5.7.1 Message refused by the DMARC policy for example.com"


def test_an_empty_message_is_judged_by_spf_alone() -> None:
    found = said(*CLIENT[:-1], "alice@fail.test", message="")
    assert [found["spf"][each]["result"] for each in ("helo", "mailfrom")] == ["pass", "fail"]
    assert (found["dkim"], found["arc"]["result"], found["dmarc"]["result"], found["action"]) == (
        [],
        "none",
        "none",
        "none",
    )


def test_a_bounce_without_from_and_a_name_server_that_fails() -> None:
    found = said("--client", "192.0.2.7", "--helo", "broken.test", message="")
    assert [each["result"] for each in found["spf"].values()] == ["temperror", "temperror"]
    assert {"name": "broken.test", "type": "TXT", "reply": "failed", "records": [],
            "reason": "SERVFAIL"} in found["dns"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "wanted"), [("some.example.net", "pass"), ("<unknown>", "permerror")]
)
def test_the_name_that_is_given_is_believed(name: str, wanted: str) -> None:
    found = said("--client", "192.0.2.7", "--rdns", name)
    assert found["iprev"]["result"] == wanted
    assert "PTR" not in [each["type"] for each in found["dns"]]


def test_ipv6() -> None:
    found = said("--client", "2001:db8::7", "--helo", "pass.test", message="")
    assert found["iprev"] == {"result": "permerror", "address": "2001:db8::7"}
    assert found["spf"]["helo"]["mechanism"] == "ip6:2001:db8::/32"


# --- the judge ------------------------------------------------------------------------------------


def test_the_judge() -> None:
    lines = run("--judge", "dkimpy", message=RSA + MESSAGE).stdout.splitlines()
    assert lines[-3:] == [
        "",
        "dkimpy\tdkim\tpass\t",
        "dkimpy\tarc\tnone\tMessage is not ARC signed",
    ]
    found = said("--judge", "dkimpy", message=RSA + MESSAGE)
    assert found["judge"][0] == {"method": "dkim", "result": "pass", "reason": ""}


def test_without_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dkim", None)
    result = run("--judge", "dkimpy")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.search("the judge dkimpy needs dkim; pip install dkimpy", result.stderr)


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "expired"),
    [
        ("1795960000", False),
        ("2026-11-29", False),
        ("2026-11-29T13:46:40", False),
        ("2026-11-29T14:46:40+01:00", False),
        ("1795960001", True),
        ("2026-11-29T13:46:41", True),
        ("2026-11-29T14:46:41+01:00", True),
        ("2026-11-30", True),
    ],
)
def test_the_time_decides_whether_a_signature_has_expired(moment: str, expired: bool) -> None:
    expiring = RSA.replace("q=dns/txt;", "q=dns/txt; x=1795960000;")
    [signature] = said("--time", moment, message=expiring + MESSAGE)["dkim"]
    # It does not fit any more, as x= is signed.
    assert signature["result"] == "fail"
    assert ("expired" in signature["reason"]) == expired


def test_the_name_servers(asked: Asked) -> None:
    run("--nameserver", "192.0.2.53", "--nameserver", "[2001:db8::53]:5353", "--dns-deadline", "7")
    assert list(map(str, asked.options.nameserver)) == ["192.0.2.53:53", "[2001:db8::53]:5353"]
    assert (asked.options.dns_deadline, asked.options.dns_cache) == (7.0, None)


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--client", "192.0.2"], "'192.0.2' is no IP address"),
        (["--helo", ""], "it is empty"),
        (["--from", "a\n@b"], "holds a control character"),
        (["--rdns", "a|b"], "is no name of a host"),
        (["--time", "tomorrow"], "'tomorrow' is no time; write 2026-11-29T12:00:00"),
        (["--nameserver", "ns.example"], "'ns.example' is no name server"),
        (["--dns-deadline", "0"], "0"),
        (["--judge", "opendkim"], "opendkim"),
    ],
)
def test_usage(argv: list[str], text: str) -> None:
    result = run(*argv)
    assert text in result.stderr
    assert (result.exit_code, result.stdout) == (2, "")
