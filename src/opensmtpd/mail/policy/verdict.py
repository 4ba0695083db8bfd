"""The verdict on a client: a response with its reasons, which becomes a decision and a log line."""

from collections.abc import Mapping
from typing import NamedTuple

from opensmtpd.filter import PhaseDecision
from opensmtpd.log import log
from opensmtpd.mail.client import Client
from opensmtpd.mail.policy.action import Action, Response


class Reason(NamedTuple):
    """A reason for a response."""

    check: str
    """The name of the check."""
    text: str
    """Text for people. It may hold anything that the client or the DNS said."""


class PolicyVerdict(NamedTuple):
    """The result of the checks of a phase."""

    response: Response
    reasons: tuple[Reason, ...]
    default: str = "7.1 Refused"
    """The text of a refusal where the administrator gave none: see ``Response.decision``."""
    fields: Mapping[str, str] = {}
    """More fields for the text of a refusal, besides the client's, ``check`` and ``reason``."""


def decide(session: str, client: Client, verdict: PolicyVerdict) -> PhaseDecision:
    """Return the decision for smtpd, and log it with its reasons."""
    check = ",".join(dict.fromkeys(reason.check for reason in verdict.reasons))
    why = "; ".join(dict.fromkeys(reason.text for reason in verdict.reasons))
    action = verdict.response.action
    event = "undecided" if action is Action.OFF else action.name.lower()
    log(
        event,
        session,
        check=check,
        address=client.address,
        rdns=client.rdns,
        helo=client.helo or None,
        reason=why,
    )
    if action < Action.TEMPFAIL:  # only refusals have a text
        return verdict.response.decision(verdict.default, {})
    fields = client.fields() | dict(verdict.fields) | {"check": check, "reason": why}
    return verdict.response.decision(verdict.default, fields)
