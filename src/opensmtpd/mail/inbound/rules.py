"""The administrator's rules for incoming mail, as ``options`` reads them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from opensmtpd.mail.policy.exemptions import Exemptions


class InboundRules(NamedTuple):
    """The rules; the defaults judge all mail and change the fate of none."""

    enforce: bool = False
    """True to do what DMARC policies ask for."""
    policies: Mapping[str, str] = {}
    """The administrator's own policies: see ``policies.policy_for``."""
    protected: frozenset[str] = frozenset()
    """Domains whose mail from outside is refused unless it is authenticated as theirs."""
    several_authors: str = "none"
    """The action for a message whose From field names several authors, or not clearly one:
    one of ``policies.POLICIES``.
    """
    no_author: str = "none"
    """The action for a message without a usable From field: one of ``policies.POLICIES``."""
    sealers: frozenset[str] = frozenset()
    """Domains whose ARC seal overrides a failure of DMARC."""
    forwarders: Exemptions = Exemptions(())
    """Clients that forward mail of others: they override a failure of DMARC."""
    weak: bool = False
    """True to accept RSA keys of 512 to 1,023 bits."""
    suffix: Callable[[str], str] | None = None
    """A public suffix list, for organizational domains; None for the tree walk of RFC 9989."""
