"""The options -A and -S of filter-dkimsign: what they sign, and which others go with them."""

import argparse
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.sign import style
from opensmtpd.mail.dkim.sign.signer import Signer

NAMES = f"{style.NAMES}:message-id:dkim-signature"
"""The fields that an ARC-Message-Signature covers unless told otherwise.

RFC 8617 section 4.1.2 wants the signatures of DKIM covered, which stay as they are on the way.
"""
_UNFIT = {
    "copy_headers": "-z",
    "add_missing": "-m",
    "unmatched": "-u",
    "unsigned": "--unsigned",
}
"""Other options that an ARC-Message-Signature has no use for."""
_UNFIT_FOR_SEAL = {**_UNFIT, "headers": "-h", "expire": "-x", "oversign": "--oversign"}
_DEFAULTS = (None, 0, "first", "pass")


class Kind(NamedTuple):
    """A kind of signature, and its defaults."""

    signer: type[Signer]
    names: str
    """The fields to cover, as -h has them."""
    canonicalization: str
    """As -c has it."""


def kind(flags: argparse.Namespace) -> Kind:
    """Return the kind of signature that flags ask for.

    Raises ConfigError for flags that do not go together.
    """
    if not (flags.arc_sign or flags.arc_seal):
        return Kind(Signer, style.NAMES, "simple/simple")
    if flags.arc_sign and flags.arc_seal:
        raise ConfigError("-A does not go with -S", remedy="run the filter twice, -A before -S")
    from opensmtpd.mail.arc.seal import MessageSigner, Sealer  # noqa: PLC0415  few sign with ARC

    this = "-A" if flags.arc_sign else "-S"
    for name, option in (_UNFIT if flags.arc_sign else _UNFIT_FOR_SEAL).items():
        if getattr(flags, name) not in _DEFAULTS:
            raise ConfigError(f"{option} does not go with {this}", remedy=f"leave {option} out")
    if flags.arc_seal:
        if style.canonicalization(flags.canonicalization or "relaxed")[0] != "relaxed":
            raise ConfigError("-c simple does not go with -S", remedy="seals are always relaxed")
        return Kind(Sealer, style.NAMES, "relaxed/relaxed")
    for field in (flags.headers or "").lower().split(":"):
        if field.startswith("arc-") or field == "authentication-results":
            remedy = "leave it out: mail systems on the way change these fields"
            raise ConfigError(f"-A must not cover {field}", remedy=remedy)
    return Kind(MessageSigner, NAMES, "relaxed/relaxed")
