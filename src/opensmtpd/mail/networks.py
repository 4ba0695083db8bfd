"""Networks of clients: addresses that filters take for one client."""

import argparse
from functools import partial
from ipaddress import ip_network

from opensmtpd.mail.client import IPAddress


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to a filter's parser; ``network`` reads them."""
    group = parser.add_argument_group("networks").add_argument
    for family, bits, most in ((4, 24, 32), (6, 64, 128)):
        group(
            f"--network{family}",
            type=partial(_bits, most=most),
            default=bits,
            metavar="BITS",
            help=f"take IPv{family} clients with so many equal bits for one (default {bits})",
        )


def network(address: IPAddress, options: argparse.Namespace) -> str:
    """Return the network of an address, as ``192.0.2.0/24``."""
    bits: int = options.network4 if address.version == 4 else options.network6
    return str(ip_network((address, bits), strict=False))


def _bits(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:4]) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
    return int(text)
