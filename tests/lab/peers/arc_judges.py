"""Judges of chains of ARC (RFC 8617): dkimpy, and Mail::DKIM in a perl of its own."""

import subprocess
from collections.abc import Mapping
from functools import cache

import dkim

_PERL = r"""
use Mail::DKIM::ARC::Verifier;
use Net::DNS;
my %zone = @ARGV;
no warnings "redefine";
*Mail::DKIM::DNS::query = sub {
    my ($name) = @_;
    return unless defined $zone{$name};
    my @strings = unpack("(a255)*", $zone{$name});
    return Net::DNS::RR->new(name => $name, type => "TXT", txtdata => \@strings);
};
my $judge = Mail::DKIM::ARC::Verifier->new();
binmode STDIN;
$judge->PRINT($_) while <STDIN>;
$judge->CLOSE;
print $judge->result;
"""


def dkimpy(message: bytes, zone: Mapping[str, str]) -> str:
    """Return what dkimpy says of a message with LF line ends: "none", "pass" or "fail".

    ``zone`` has the TXT records by their names.
    """

    def record(name: bytes, timeout: int = 5) -> bytes | None:
        found = zone.get(name.decode("ascii").removesuffix("."))
        return found.encode("ascii") if found else None

    judge = dkim.ARC(message.replace(b"\n", b"\r\n"))
    cv, _, _ = judge.verify(dnsfunc=record)
    return str(cv.decode("ascii")) if cv else "none"


@cache
def has_mail_dkim() -> bool:
    """Tell whether this machine has perl with Mail::DKIM (Debian: libmail-dkim-perl)."""
    asked = ["perl", "-MMail::DKIM::ARC::Verifier", "-e", "1"]
    try:
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def mail_dkim(message: bytes, zone: Mapping[str, str]) -> str:
    """Return what Mail::DKIM says, as above."""
    pairs = [text for pair in zone.items() for text in pair]
    done = subprocess.run(
        ["perl", "-e", _PERL, *pairs],
        input=message.replace(b"\n", b"\r\n"),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode("ascii")
