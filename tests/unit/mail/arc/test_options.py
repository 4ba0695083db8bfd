"""Flags of filter-dkimsign with -A and -S."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.arc.options import NAMES, Kind, kind
from opensmtpd.mail.arc.seal import MessageSigner, Sealer
from opensmtpd.mail.dkim.sign import style
from opensmtpd.mail.dkim.sign.signer import Signer
from opensmtpd_filters.dkimsign import parser


def of(*flags: str) -> Kind:
    return kind(parser().parse_args(flags))


def test_what_signs() -> None:
    assert of() == Kind(Signer, style.NAMES, "simple/simple")
    assert of("-A") == of("--arc-sign") == Kind(MessageSigner, NAMES, "relaxed/relaxed")
    assert of("-S").signer is of("--arc-seal").signer is Sealer


@pytest.mark.parametrize(
    "flags",
    [
        "-A -t -x 60 -c simple -h from:subject --oversign --log-signed",
        "-S -t --log-signed",
        "-S -c relaxed",
        "-S -c relaxed/simple",
    ],
)
def test_flags_that_go_together(flags: str) -> None:
    assert of(*flags.split()).signer is not Signer


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ("-A -S", "-A does not go with -S; run the filter twice, -A before -S"),
        ("-A -z", "-z does not go with -A; leave -z out"),
        ("-A -m", "-m does not go with -A; leave -m out"),
        ("-A -u skip", "-u does not go with -A; leave -u out"),
        ("-A --unsigned refuse", "--unsigned does not go with -A; leave --unsigned out"),
        ("-S -h from", "-h does not go with -S; leave -h out"),
        ("-S -x 60", "-x does not go with -S; leave -x out"),
        ("-S --oversign", "--oversign does not go with -S; leave --oversign out"),
        ("-S -z", "-z does not go with -S; leave -z out"),
        ("-S -c simple/relaxed", "-c simple does not go with -S; seals are always relaxed"),
        ("-A -h from:ARC-Seal", "-A must not cover arc-seal; leave it out: mail systems on the"
         " way change these fields"),
        ("-A -h from:authentication-results", "-A must not cover authentication-results; leave it"
         " out: mail systems on the way change these fields"),
    ],
)  # fmt: skip
def test_flags_that_do_not(flags: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(*flags.split())
    assert str(caught.value) == error
