"""The keys that filter-dkimsign signs with: are they published, and are they of use?"""

import difflib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from opensmtpd.dns import Lookup, gather
from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.key import Key
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.dnsrecords import sending, signing_keys
from opensmtpd_cli.dnsrecords.signing_keys import SigningFilter, SigningKey, signing

if TYPE_CHECKING:
    from opensmtpd_cli.dnsrecords.published_key import KeyVerdict

UNSIGNED = "Who gets the mail takes it for unsigned, or refuses it where DMARC asks for that."
STRANGE = "DMARC does not count the signature of another domain."
LEFT_AFTER = 11 * 86400
"""Seconds until nothing waits any more that a key has signed, as genkey --rotate says."""
LIKE = 0.85
"""Likeness of two names of which one is a misspelling: not example.com and example.org."""
_MEANT_MAX = 100
"""Domains without a key, of which one may be meant: with more, no likeness means anything."""
_NAMES_MAX = 500
"""Files of a folder that may be keys that are left over."""


def keys_unlooked(server: Server) -> Iterator[Finding]:
    """Say which filters and keys could not be looked at."""
    for each in server.configuration.filters.values():
        if each.entry is None:
            continue
        try:
            flags = signing_keys.flags_of(each.entry)
            keys = signing_keys.of_flags(flags) if flags is not None else []
        except ConfigError as error:
            if error.path and server.root:  # a file of no use: as below
                continue
            fault = f"the keys of filter {each.name} could not be looked at: {error}"
            yield finding.unseen("dkim-key-unseen", each.place, fault)
            continue
        if server.root:  # then it is a fault of the filter, of which others tell
            continue
        for key in keys:
            if isinstance(key.key, ConfigError):
                place = key.place if key.place[0] else each.place
                fault = f"the key {key.file} could not be read: {key.key.message}"
                yield finding.unseen("dkim-key-unseen", place, fault, remedy="run it as root")


def published(server: Server) -> Lookup[list[Finding]]:
    """Look for keys whose record is missing, different, or of no use, and for weak ones."""
    used: dict[tuple[str, bytes], tuple[tuple[str, int], SigningKey, Key]] = {}
    every = signing(server.configuration)
    for each in every:
        for key in each.keys:
            if not isinstance(key.key, ConfigError):
                place = key.place if key.place[0] else each.filter.place
                name = f"{key.selector}.{key.domain}".lower()
                used.setdefault((name, key.key.id), (place, key, key.key))
    if not used:
        return []
    from opensmtpd_cli.dnsrecords.published_key import published_key, weakness  # noqa: PLC0415  needs cryptography

    asked = [published_key(key.domain, key.selector, own) for _, key, own in used.values()]
    known, others = _uncovered(server, every)
    bad: list[Finding] = []
    verdicts = yield from gather(asked)
    for (place, key, own), verdict in zip(used.values(), verdicts, strict=True):
        domain = key.domain.lower()
        meant = _near(domain, others) if domain not in known else ""
        bad += _judged(meant, place, key, verdict)
        if weak := weakness(own):
            bad.append(
                finding.warning(
                    "dkim-key-weak",
                    place,
                    f"key {key.file} for {verdict.name} is {weak}",
                    "RFC 8301 asks signers for more.",
                    "opensmtpd-plugins genkey, with --rotate for a key table",
                )
            )
    return bad


def _judged(
    meant: str, place: tuple[str, int], key: SigningKey, verdict: "KeyVerdict"
) -> Iterator[Finding]:
    """Judge a key. ``meant`` is the domain of which its own may be a misspelling, "" for none."""
    fault = f"key {key.file} for {verdict.name}: {verdict.fault}"
    if verdict.state == "unknown":
        yield finding.unseen("dkim-key-unseen", place, fault)
    elif verdict.fault:
        remedy = f"write {meant}, if that was meant; else {verdict.remedy}" if meant else ""
        code = f"dkim-key-{verdict.state}"
        yield finding.warning(code, place, fault, UNSIGNED, remedy or verdict.remedy)
    if verdict.testing:
        fault = f"the record {verdict.name} says t=y: its domain tests DKIM"
        remedy = "take t=y out of the record"
        yield finding.warning("dkim-key-testing", place, fault, UNSIGNED, remedy)


def _uncovered(server: Server, every: list[SigningFilter]) -> tuple[set[str], list[str]]:
    """Return the domains of this server, and those that no key is for, if they are not many."""
    known = set(sending.received(server.configuration))
    for listener in server.configuration.listeners:
        known |= sending.senders(server.configuration, listener)
    covered = {domain for each in every for domain in each.domains}
    others = [each for each in sorted(known) if not sending.is_below(each, covered)]
    above = {each.split(".", number)[-1] for each in known for number in range(each.count("."))}
    return above, others if len(others) <= _MEANT_MAX else []


def _near(domain: str, others: list[str]) -> str:
    """Return a name of which ``domain`` may be a misspelling, "" where there is none."""
    found = difflib.get_close_matches(domain, others, 1, LIKE)
    return found[0] if found else ""


def strange_senders(server: Server) -> Iterator[Finding]:
    """Look for users whose mail is signed for another domain than that of their address."""
    conf = server.configuration
    for each in signing(server.configuration):
        if each.flags.skips_strangers or each.flags.arc or not each.keys:
            continue
        domains = each.domains
        strange: set[str] = set()
        for listener in conf.listeners:
            if each.filter.name in sending.filters(conf, listener.filters):
                senders = sending.senders(conf, listener)
                strange.update(name for name in senders if not sending.is_below(name, domains))
        yield from _strange(each, next(iter(domains)), sorted(strange))


def _strange(signer: SigningFilter, first: str, domains: list[str]) -> Iterator[Finding]:
    for domain in domains:
        yield finding.warning(
            "dkim-sender-strange",
            signer.filter.place,
            f"mail from {domain} is signed by filter {signer.filter.name} for {first}",
            STRANGE,
            f"write {domain} for {first}, if that was meant; else name it, too"
            if _near(first, [domain])
            else f"name {domain}, too (-d, or a line of the key table), or -u skip",
        )


def left_over(server: Server) -> Lookup[list[Finding]]:
    """Look for keys that are published and sign nothing any more.

    They are files beside those in use, named as genkey names them, that are equal to their records,
    where nothing has changed for so long that no mail waits that they have signed.
    """
    every = [key for each in signing(server.configuration) for key in each.keys]
    if not every or _changed_lately(server, every):
        return []
    from opensmtpd_cli.dnsrecords.published_key import published_key  # noqa: PLC0415  needs cryptography

    spare = [(each, each.key) for each in _spare(every) if not isinstance(each.key, ConfigError)]
    asked = [published_key(each.domain, each.selector, key) for each, key in spare]
    found = yield from gather(asked)
    return [
        finding.warning(
            "dkim-key-left",
            (each.file, 0),
            f"no filter signs with this key, and {verdict.name} is published",
            "Who gets hold of the file can sign as this domain.",
            f"unpublish {verdict.name}, and rm {each.file}",
        )
        for (each, _), verdict in zip(spare, found, strict=True)
        if verdict.state == "equal"
    ]


def _changed_lately(server: Server, keys: list[SigningKey]) -> bool:
    files = {*server.configuration.files, *(key.place[0] for key in keys if key.place[0])}
    return any(_is_new(path) for path in files)


def _is_new(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime < LEFT_AFTER
    except OSError:
        return True


def _spare(keys: list[SigningKey]) -> Iterator[SigningKey]:
    used = {os.path.realpath(key.file) for key in keys}
    domains = dict.fromkeys(key.domain.lower() for key in keys)
    for folder in dict.fromkeys(os.path.dirname(key.file) for key in keys):
        with suppress(OSError):
            for name in sorted(os.listdir(folder))[:_NAMES_MAX]:
                path = os.path.join(folder, name)
                if os.path.realpath(path) in used or _is_new(path):
                    continue
                for domain in domains:
                    selector = name.removesuffix(".key").removeprefix(f"{domain}.")
                    if f"{domain}.{selector}.key" == name:
                        with suppress(ConfigError):
                            yield from signing_keys.of_file(path, [domain], selector)
