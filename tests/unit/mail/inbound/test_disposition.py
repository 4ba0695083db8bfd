"""What is done with a message."""

from pathlib import Path
from typing import Any

import pytest

from opensmtpd.mail.dmarc.author import Authors
from opensmtpd.mail.dmarc.policy import DmarcResult
from opensmtpd.mail.dmarc.reports.record import OverrideReason
from opensmtpd.mail.inbound.disposition import Disposition, dispose
from opensmtpd.mail.inbound.rules import InboundRules
from opensmtpd.mail.policy.exemptions import Exemptions
from opensmtpd.mail.spf.check import SpfResult
from unit.support.inbound_findings import (
    CHAIN,
    FAIL,
    NO_DMARC,
    PASS,
    SPF_FAIL,
    findings,
    signature,
)

ENFORCE = InboundRules(enforce=True)
REPLY = "5.7.1 Message refused by the DMARC policy for example.com"
QUARANTINE = FAIL._replace(policy="quarantine", disposition="quarantine")
SEVERAL = Authors(("example.com", "example.net"), "From has several domains")
NOBODY = Authors((), "no From field")


def test_nothing_without_a_policy() -> None:
    for dmarc in (PASS, NO_DMARC, FAIL._replace(policy="none", disposition="none")):
        assert dispose(findings(dmarc=dmarc), ENFORCE).action == "none"


def test_what_the_domain_asks_for() -> None:
    assert dispose(findings(), ENFORCE) == Disposition(
        "reject", "reject", "DMARC policy of example.com: reject", REPLY
    )
    assert dispose(findings(dmarc=QUARANTINE), ENFORCE) == Disposition(
        "quarantine", "quarantine", "DMARC policy of example.com: quarantine"
    )


def test_nothing_is_done_by_default() -> None:
    assert dispose(findings(), InboundRules()) == Disposition(
        "none", "reject", "DMARC policy of example.com: reject"
    )


def test_a_policy_in_test_mode() -> None:
    tested = FAIL._replace(disposition="quarantine")
    assert dispose(findings(dmarc=tested), ENFORCE) == Disposition(
        "quarantine",
        "quarantine",
        "DMARC policy of example.com: quarantine",
        overrides=(OverrideReason("policy_test_mode", "t=y"),),
    )


@pytest.mark.parametrize("result", ["temperror", "permerror"])
def test_what_is_not_known_is_not_held_against_a_message(result: str) -> None:
    unknown = FAIL._replace(result=result, disposition="none")
    rules = InboundRules(enforce=True, policies={"example.com": "reject"})
    assert dispose(findings(dmarc=unknown), rules) == Disposition("none", "none")


# --- our own policies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dmarc", "own", "action"),
    [
        (FAIL, "none", "none"),
        (FAIL, "quarantine", "quarantine"),
        (FAIL._replace(policy="none", disposition="none"), "reject", "reject"),
        (NO_DMARC, "reject", "reject"),
        (PASS, "reject", "none"),
    ],
)
def test_our_own_policy(dmarc: DmarcResult, own: str, action: str) -> None:
    rules = InboundRules(enforce=True, policies={"example.com": own})
    found = dispose(findings(dmarc=dmarc), rules)
    assert found.action == action
    said = (OverrideReason("local_policy", f"own policy for example.com: {own}"),)
    assert found.overrides == (said if dmarc is not PASS else ())
    assert dispose(findings(dmarc=dmarc), rules._replace(enforce=False)).action == "none"


@pytest.mark.parametrize("domain", ["example.com", "mail.example.com"])
@pytest.mark.parametrize("result", ["pass", "temperror"])
def test_without_a_record_mail_that_is_authenticated_is_not_refused(
    domain: str, result: str
) -> None:
    rules = InboundRules(enforce=True, policies={"example.com": "reject"})
    signed = findings(dmarc=NO_DMARC, dkim=(signature(result, domain),))
    assert dispose(signed, rules).action == "none"
    by_spf = SPF_FAIL._replace(sender=SpfResult(result, domain))
    assert dispose(findings(dmarc=NO_DMARC, spf=by_spf), rules).action == "none"
    for other in (signature("fail"), signature(domain="badexample.com"), signature(partial=True)):
        assert dispose(findings(dmarc=NO_DMARC, dkim=(other,)), rules).action == "reject"


# --- From -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["none", "quarantine", "reject"])
def test_a_from_field_that_names_nobody_or_several(action: str) -> None:
    none = DmarcResult("none")
    nobody = dispose(findings(authors=NOBODY, dmarc=none), InboundRules(no_author=action))
    several = dispose(findings(authors=SEVERAL, dmarc=none), InboundRules(several_authors=action))
    assert (nobody.action, several.action) == (action, action)
    if action != "none":
        assert (nobody.reason, several.reason) == ("no From field", "From has several domains")
    refused = "5.7.1 Message refused: its From field "
    assert nobody.reply == (refused + "has no author" if action == "reject" else "")
    assert several.reply == (refused + "does not name one author" if action == "reject" else "")


PROTECT = InboundRules(protected=frozenset(["example.com"]))


@pytest.mark.parametrize(
    ("author", "more", "action"),
    [
        ("example.com", {}, "reject"),
        ("sub.example.com", {}, "reject"),
        ("badexample.com", {}, "none"),
        ("com", {}, "none"),
        ("example.com", {"dkim": (signature(),)}, "none"),
        ("sub.example.com", {"dkim": (signature(),)}, "none"),
        ("example.com", {"dkim": (signature(domain="sub.example.com"),)}, "none"),
        ("example.com", {"dkim": (signature("temperror"),)}, "none"),
        ("example.com", {"dkim": (signature("fail"),)}, "reject"),
        ("example.com", {"dkim": (signature(partial=True),)}, "reject"),
        ("example.com", {"dkim": (signature(domain="evil.example"),)}, "reject"),
        ("example.com", {"dkim": (signature(domain="com"),)}, "reject"),
    ],
)
def test_our_own_domain_from_outside(author: str, more: dict[str, Any], action: str) -> None:
    found = dispose(findings(authors=Authors((author,)), dmarc=NO_DMARC, **more), PROTECT)
    assert found.action == action
    if action == "reject":
        assert found.reply == f"5.7.1 Message refused: authenticate to send mail from {author}"


def test_our_own_domain_among_others() -> None:
    both = Authors(("example.net", "example.com"), "From has several domains")
    assert dispose(findings(authors=both, dmarc=DmarcResult("none")), PROTECT).action == "reject"


@pytest.mark.parametrize(
    ("rules", "action"),
    [(InboundRules(), "none"), (ENFORCE, "reject"), (PROTECT, "reject")],
)
def test_a_from_field_that_is_not_read(rules: InboundRules, action: str) -> None:
    large = findings(authors=Authors((), "From is too large"), dmarc=DmarcResult("none"))
    found = dispose(large, rules)
    assert found.action == action
    if action == "reject":
        assert found.reply == "5.7.1 Message refused: From is too large"


# --- exceptions -----------------------------------------------------------------------------------


def test_a_forwarder(tmp_path: Path) -> None:
    path = tmp_path / "forwarders"
    path.write_text("192.0.2.0/28\n")
    rules = ENFORCE._replace(forwarders=Exemptions([str(path)]), protected=PROTECT.protected)
    assert dispose(findings(), rules) == Disposition(
        "none",
        "none",
        "example.com is ours, and the message is not",
        overrides=(OverrideReason("trusted_forwarder", "listed forwarder"),),
    )


SEALERS = InboundRules(enforce=True, sealers=frozenset(["lists.example"]))
AAR = b" i=2; lists.example; dkim=pass header.d=example.com; dmarc=%s header.from=example.com"


def test_a_trusted_sealer() -> None:
    found = dispose(findings(arc=CHAIN._replace(aar=AAR % b"pass")), SEALERS)
    assert (found.action, found.asked) == ("none", "none")
    assert found.overrides == (OverrideReason("local_policy", "arc=pass as[2].d=lists.example"),)
    assert found.reason == "DMARC policy of example.com: reject"


@pytest.mark.parametrize(
    "changed",
    [
        {"result": "fail"},
        {"result": "temperror"},
        {"sealers": ()},
        {"sealers": ("evil.example", "lists.example")},
        {"aar": AAR % b"fail"},
        {"aar": b" i=2; lists.example; dmarc=(x"},
        {"partial": True},
        {"covers_from": False},
    ],
)
def test_a_chain_that_excuses_nothing(changed: dict[str, Any]) -> None:
    chain = CHAIN._replace(**{"aar": AAR % b"pass", **changed})
    assert dispose(findings(arc=chain), SEALERS).action == "reject"


def test_a_trusted_sealer_does_not_excuse_a_from_field_with_a_fault() -> None:
    several = findings(authors=SEVERAL, arc=CHAIN._replace(aar=AAR % b"pass"))
    assert dispose(several, SEALERS._replace(several_authors="reject")).action == "reject"
    assert dispose(several, SEALERS).action == "reject"


def test_exceptions_of_mail_that_needs_none_are_not_told() -> None:
    assert dispose(findings(dmarc=PASS, arc=CHAIN), SEALERS) == Disposition("none", "none")
