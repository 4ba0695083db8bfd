"""The flags of filter-dkimsign."""

import argparse

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.key import ALGORITHMS
from opensmtpd.mail.dkim.sign import style
from opensmtpd.mail.dkim.sign.signer import TIME_MAX


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags to a parser; ``-h`` is one of them, so that it must not have its own."""
    add = parser.add_argument_group("what to sign with").add_argument
    # fmt: off
    add("-d", "--domain", action="append", default=[], help="a domain to sign for; of several,"
        " that of the first mailbox in From signs, or its nearest parent, or else the first given")
    add("-D", "--domain-file", action="append", default=[], metavar="FILE",
        help="more domains, one a line; lines that begin with # are skipped")
    add("-s", "--selector", help="the key is published as SELECTOR._domainkey.DOMAIN")
    add("-k", "--key", metavar="FILE", help="the private key, in PEM")
    add("-a", "--algorithm", choices=ALGORITHMS, help="of that key (default rsa-sha256)")
    add("-f", "--key-table", metavar="FILE", help="instead of all these, a file of lines 'domain"
        " selector keyfile [algorithm]'; all lines of a domain sign")
    add = parser.add_argument_group("how to sign").add_argument
    add("-c", "--canonicalization", metavar="HEADER[/BODY]", help="simple or relaxed for each;"
        " relaxed/relaxed survives most (default simple/simple, with -A relaxed/relaxed)")
    add("-h", "--headers", metavar="NAME:NAME...",
        help=f"the header fields to cover, From among them (default {style.NAMES})")
    add("-t", "--timestamp", action="store_true", help="add the time of signing")
    add("-x", "--expire", type=lifetime, default=0, metavar="SECONDS",
        help="add when the signature ends, so many seconds from now")
    add("-z", "--copy-headers", action="count", default=0,
        help="add a copy of the fields that are covered; twice: of the whole header")
    add("--oversign", action="store_true", help="cover each field once more than it occurs, so that"
        " nobody can add one (not Date, Message-ID, and what mail systems on the way add)")
    add("-m", "--add-missing", action="store_true", help="add Date and Message-ID before signing,"
        " where smtpd would add them afterwards: on local listeners and port 587")
    add("-A", "--arc-sign", action="store_true", help="write an ARC-Message-Signature instead,"
        " where filter-auth -A in front of this has written ARC-Authentication-Results")
    add("-S", "--arc-seal", action="store_true", help="write an ARC-Seal instead, behind -A")
    add("--log-signed", action="store_true", help="log domain and selector of each signature")
    add = parser.add_argument_group("what not to sign").add_argument
    add("-u", "--unmatched", choices=("first", "skip"), default="first", help="what signs for an"
        " author whose domain is not listed, or cannot be read: the first domain (default), or"
        " nothing")
    add("--unsigned", choices=("pass", "refuse"), default="pass", help="what becomes of a message"
        " that stays unsigned: it goes out, and the log says why (default), or it is refused")
    # fmt: on


def key_setup(flags: argparse.Namespace) -> dict[str, object]:
    """Return what tells a worker which keys to read. Raises ConfigError."""
    setup = {
        "domains": flags.domain,
        "domain_files": flags.domain_file,
        "selector": flags.selector,
        "key": flags.key,
        "algorithm": flags.algorithm,
    }
    if flags.key_table and any(setup.values()):
        remedy = "write all keys into the table, or use -d, -s and -k without it"
        raise ConfigError("-f does not go with -d, -D, -s, -k or -a", remedy=remedy)
    return {**setup, "key_table": flags.key_table}


def lifetime(text: str) -> int:
    """Return a number of seconds above 0. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= TIME_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return int(text)
