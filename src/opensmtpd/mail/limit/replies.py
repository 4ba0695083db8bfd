"""The replies to what is more than a limit."""

import math

from opensmtpd.filter import Reject
from opensmtpd.mail.limit.rules import Excess, LimitRule

STOPPED = Reject(550, "5.7.1 This account has sent too much mail and is stopped")
NEVER = Reject(552, "5.3.4 Larger than all that may be sent at once")


def gravity(rule: LimitRule, after: float) -> tuple[bool, bool, bool, int]:
    """Return what is greater for the refusal that counts, of several of the same message."""
    never = math.isinf(after)
    seconds = 0 if never else math.ceil(after)
    return rule.excess is Excess.STOP, never, rule.excess is Excess.REJECT, seconds


def refusal(rule: LimitRule, after: float) -> Reject:
    """Return the refusal of more than a rule allows; ``after`` seconds later it is allowed.

    Infinite is never: then it is no use to try again, whatever the rule says.
    """
    if rule.excess is Excess.STOP:
        return STOPPED
    if math.isinf(after):
        return NEVER
    if rule.excess is Excess.REJECT:
        return Reject(550, f"5.7.1 Too many {rule.unit}")
    return Reject(
        450, f"4.7.1 Too many {rule.unit}, please try again in {math.ceil(after)} seconds"
    )
