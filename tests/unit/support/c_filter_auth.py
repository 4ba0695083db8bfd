"""What the C filter-auth (catap, 912564c) wrote above messages, under smtpd's lines, with ZONE.

Built from its source and recorded in November 2026: smtpd 7.6's lines for a client of each case's
address, name, HELO and sender, and the message. The messages of ARC come from ValiMail's suite.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

RSA = (
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com;\n"
    " i=@example.com; q=dns/txt; s=s; t=1795957580; h=from : to : subject :\n"
    " date : message-id; bh=lX5hsEX3yddaHBIZGhdP/RdjGRG4ve1Z6665MvsMHp0=;\n"
    " b=KBB9Ud/QyzE8guMP/KWZqKoaAVFaO6AY5YqlR5P4ZZFtmfBc1Yaj1JBZV5yuXBJkjwFMC\n"
    " vfsrIPhiCkeBhy6dXoVhS2UAde19d6fXb2lGri9UgsovfWZW9YUkXjq+005v4NjsOfqR6go\n"
    " B9sdstv7FzKx7fS1cssaLMwVgpSMZWyJPP2XrVwlqGWYZEvVTlwJSnPw9phLMkhRdo5qdhe\n"
    " sRyOiivsZ31521seIWeKdnaYWUnSz6fevXRqWrvBjMloVLXqsVfmL+wpfC+Vaiq04lIcjH8\n"
    " aiUyPKfVwx9TzcC9gzvSOUNKBxiKKgy9aPLAktUfi0ANM+g/ecJ+EGqCBHjw==\n"
)
"""A signature of MESSAGE, by dkimpy."""
ED25519 = (
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; s=e; bh=lX5hsEX3ydda\n"
    "\tHBIZGhdP/RdjGRG4ve1Z6665MvsMHp0=; h=date:subject:to:from;\n"
    "\td=example.com; b=LR5R8ltB370Gcgso29IdNBFafZHuDNjDCzseEfawhXGxNfFLwHtgs\n"
    "\tbieY3vcO/InLLOzItfyFmKx4wMp0elGDQ==\n"
)
"""Another one, by filter-dkimsign."""
MESSAGE = """\
From: Alice <alice@example.com>
To: bob@example.org
Subject: Minutes
Date: Sun, 22 Nov 2026 08:21:44 +0000
Message-ID: <1@example.com>

Hello,

this is  the text.
"""
ZONE = {
    "s._domainkey.example.com": [
        "v=DKIM1; k=rsa; p="
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuWC7vTTH3tjLfdV/+n5u886+CdTOGs6ngd9V"
        "ABishrCXy7W9ntv6H9AzapN3QjyOl/2cBUJwFz+hndmo91YlDJhTkO9n1al65jNH2/HoJK6rKMA1nvaN"
        "zpGicrxxUGImvA2m4xyXRLvDvAGF3uVBfGjVXN1urPJQhcxFKWddwBVozcLcK/S1O8h8xNUOtZceSSL9"
        "76aER+/Or9axfVYtJuEclpOaR0fnyScDC2smdd2DvAzQ0h/0PtOS4fXTWoqTNbV1NGt6DAZBSqRexzR5"
        "3Oh+t9w5gyKeTynLeKYWrejbhaUfPonPyMfA4RuaZOhCEqlRAdlVvtjYcAM4O5F31wIDAQAB"
    ],
    "e._domainkey.example.com": [
        "v=DKIM1; k=ed25519; p=HThjCtVeTeOl28cqHJUz6nuytNn4w2rVyNHVDIO6zbI="
    ],
    "pass.test": ["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"],
    "fail.test": ["v=spf1 ip4:203.0.113.1 -all"],
    "soft.test": ["v=spf1 ip4:203.0.113.1 ~all"],
    "neutral.test": ["v=spf1 ip4:203.0.113.1 ?all"],
    "perm.test": ["v=spf1 ip4:203.0.113.1 -all", "v=spf1 -all"],
}
"""TXT records. Questions for ``broken.test`` were answered SERVFAIL, all others NXDOMAIN."""
BROKEN = "broken.test"


class Recorded(NamedTuple):
    """One message."""

    title: str
    field: str
    """What the C filter wrote; its lines are joined by line feeds."""
    signatures: str = ""
    """Fields on top of MESSAGE."""
    changed: tuple[str, str] = ("", "")
    """A text of the message, and what stood in its place."""
    suite: str = ""
    """The name of a message of ValiMail's suite, in MESSAGE's place."""
    source: str = "192.0.2.7:4000"
    rdns: str = "mx.pass.test"
    fcrdns: str = "pass"
    helo: str = "mx.pass.test"
    sender: str = "alice@pass.test"
    arguments: tuple[str, ...] = ("mx.test",)
    """smtpd announced ``conf.test`` as its ``admd``."""

    def __str__(self) -> str:
        return self.title


RECORDED = (
    Recorded(
        "one pass RSA",
        (
            "Authentication-Results: mx.test; dkim=pass header.s=s header.d=example.com \n"
            "\theader.a=rsa-sha256 header.b=KBB9Ud/Q; arc=none; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        signatures=RSA,
    ),
    Recorded(
        "one pass Ed25519",
        (
            "Authentication-Results: mx.test; dkim=pass header.s=e header.d=example.com \n"
            "\theader.a=ed25519-sha256 header.b=LR5R8ltB; arc=none; iprev=pass;\n"
            "\tspf=none smtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        signatures=ED25519,
    ),
    Recorded(
        "two signatures",
        (
            "Authentication-Results: mx.test; dkim=pass header.s=e header.d=example.com \n"
            "\theader.a=ed25519-sha256 header.b=LR5R8ltB; dkim=pass header.s=s \n"
            "\theader.d=example.com header.a=rsa-sha256 header.b=KBB9Ud/Q; arc=none;\n"
            "\tiprev=pass; spf=none smtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        signatures=ED25519 + RSA,
    ),
    Recorded(
        "body changed",
        (
            'Authentication-Results: mx.test; dkim=fail reason="bh mismatch" header.s=s \n'
            "\theader.d=example.com header.a=rsa-sha256 header.b=KBB9Ud/Q; arc=none;\n"
            "\tiprev=pass; spf=none smtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        signatures=RSA,
        changed=("text", "tale"),
    ),
    Recorded(
        "header changed",
        (
            'Authentication-Results: mx.test; dkim=fail reason="b mismatch" header.s=s \n'
            "\theader.d=example.com header.a=rsa-sha256 header.b=KBB9Ud/Q; arc=none;\n"
            "\tiprev=pass; spf=none smtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        signatures=RSA,
        changed=("Minutes", "Seconds"),
    ),
    Recorded(
        "no signature",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
    ),
    Recorded(
        "no key",
        (
            'Authentication-Results: mx.test; dkim=permerror reason="Unknown host" \n'
            "\theader.s=gone header.d=example.com header.a=rsa-sha256 \n"
            "\theader.b=KBB9Ud/Q; arc=none; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        signatures=RSA.replace("s=s;", "s=gone;"),
    ),
    Recorded(
        "null sender",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass; spf=pass\n"
            "\tsmtp.helo=postmaster@pass.test; spf=pass\n"
            "\tsmtp.mailfrom=postmaster@pass.test"
        ),
        sender="",
        helo="pass.test",
    ),
    Recorded(
        "IPv6",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        source="[2001:db8::7]:4000",
    ),
    Recorded(
        "SPF fail",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass; spf=fail\n"
            "\tsmtp.helo=postmaster@fail.test; spf=fail smtp.mailfrom=alice@fail.test"
        ),
        sender="alice@fail.test",
        helo="fail.test",
    ),
    Recorded(
        "SPF softfail",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass;\n"
            "\tspf=softfail smtp.helo=postmaster@soft.test; spf=softfail\n"
            "\tsmtp.mailfrom=alice@soft.test"
        ),
        sender="alice@soft.test",
        helo="soft.test",
    ),
    Recorded(
        "SPF neutral",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass;\n"
            "\tspf=neutral smtp.helo=postmaster@neutral.test; spf=neutral\n"
            "\tsmtp.mailfrom=alice@neutral.test"
        ),
        sender="alice@neutral.test",
        helo="neutral.test",
    ),
    Recorded(
        "SPF none",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@none.test; spf=none smtp.mailfrom=alice@none.test"
        ),
        sender="alice@none.test",
        helo="none.test",
    ),
    Recorded(
        "SPF permerror",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass; spf=fail\n"
            "\tsmtp.helo=postmaster@perm.test; spf=fail smtp.mailfrom=alice@perm.test"
        ),
        sender="alice@perm.test",
        helo="perm.test",
    ),
    Recorded(
        "SPF temperror",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=pass;\n"
            "\tspf=temperror smtp.helo=postmaster@broken.test \n"
            '\treason="Host name lookup failure"; spf=temperror\n'
            '\tsmtp.mailfrom=alice@broken.test reason="Host name lookup failure"'
        ),
        sender="alice@broken.test",
        helo="broken.test",
    ),
    Recorded(
        "iprev fail",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=fail; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        rdns="lying.test",
        fcrdns="fail",
    ),
    Recorded(
        "iprev no name",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=fail; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        rdns="<unknown>",
        fcrdns="fail",
    ),
    Recorded(
        "iprev error",
        (
            "Authentication-Results: mx.test; dkim=none; arc=none; iprev=fail; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        rdns="lying.test",
        fcrdns="error",
    ),
    Recorded(
        "id of config",
        (
            "Authentication-Results: conf.test; dkim=none; arc=none; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        arguments=(),
    ),
    Recorded(
        "ARC flag",
        (
            "ARC-Authentication-Results: i=1; mx.test; dkim=pass header.s=s \n"
            "\theader.d=example.com header.a=rsa-sha256 header.b=KBB9Ud/Q; arc=none;\n"
            "\tiprev=pass; spf=none smtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        signatures=RSA,
        arguments=("-A", "mx.test"),
    ),
    Recorded(
        "ARC broken",
        (
            'Authentication-Results: mx.test; dkim=none; arc=fail reason="bh mismatch" \n'
            "\theader.s=dummy header.d=example.org header.i=1 header.a=rsa-sha256 \n"
            "\theader.b=QsRzR/Uq; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        suite="cv_pass_i1_1",
        changed=("Hey gang", "Hey gong"),
    ),
    Recorded(
        "ARC two sets",
        (
            "Authentication-Results: mx.test; dkim=none; arc=pass header.s=dummy \n"
            "\theader.d=example.org header.i=2 header.a=rsa-sha256 \n"
            "\theader.b=2cDGNznU; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        suite="cv_pass_i2_1",
    ),
    Recorded(
        "ARC two sets, flag",
        (
            "ARC-Authentication-Results: i=3; mx.test; dkim=none; arc=pass\n"
            "\theader.s=dummy header.d=example.org header.i=2 header.a=rsa-sha256 \n"
            "\theader.b=2cDGNznU; iprev=pass; spf=none\n"
            "\tsmtp.helo=postmaster@mx.pass.test; spf=pass\n"
            "\tsmtp.mailfrom=alice@pass.test"
        ),
        suite="cv_pass_i2_1",
        arguments=("-A", "mx.test"),
    ),
)

ADDRESS = "192.0.2.7"
EVERYWHERE = (
    # RFC 8601 section 2.7.2 wants the domain.
    ("smtp.helo=postmaster@", "smtp.helo="),
    # Base64 has characters that no token has (RFC 2045 section 5.1).
    ("header.b=KBB9Ud/Q", 'header.b="KBB9Ud/Q"'),
    # RFC 8601 section 2.7.3 has the address.
    ("iprev=pass", f"iprev=pass policy.iprev={ADDRESS}"),
)
DIFFERENT: Mapping[str, Sequence[tuple[str, str]]] = {
    # An IPv6 address is no token either: it has colons.
    "IPv6": [(f"policy.iprev={ADDRESS}", 'policy.iprev="2001:db8::7"')],
    # Two records are an error (RFC 7208 section 4.5), and nobody's verdict.
    "SPF permerror": [("spf=fail", "spf=permerror")],
    # A reason stands in front of the properties (RFC 8601 section 2.2).
    "SPF temperror": [
        (
            'spf=temperror smtp.helo=broken.test reason="Host name lookup failure"',
            'spf=temperror reason="Host name lookup failure" smtp.helo=broken.test',
        ),
        (
            'spf=temperror smtp.mailfrom=alice@broken.test reason="Host name lookup failure"',
            'spf=temperror reason="Host name lookup failure" smtp.mailfrom=alice@broken.test',
        ),
    ],
    "iprev fail": [("iprev=fail", f"iprev=fail policy.iprev={ADDRESS}")],
    # RFC 8601 section 2.7.3: no name is an error for good, a failing name server one for now.
    "iprev no name": [("iprev=fail", f"iprev=permerror policy.iprev={ADDRESS}")],
    "iprev error": [("iprev=fail", f"iprev=temperror policy.iprev={ADDRESS}")],
    # C has the newest ARC-Message-Signature as that of DKIM; RFC 8617 section 10.2 registers no
    # such properties.
    **{
        title: [
            (f" header.s=dummy header.d=example.org header.i={instance}", f" header.i={instance}"),
            (f" header.a=rsa-sha256 header.b={signature}", ""),
        ]
        for title, instance, signature in (
            ("ARC broken", 1, "QsRzR/Uq"),
            ("ARC two sets", 2, "2cDGNznU"),
            ("ARC two sets, flag", 2, "2cDGNznU"),
        )
    },
}
"""Deliberate differences of ours, each with its reason: what C wrote, and what we write."""


def words(lines: Sequence[str]) -> str:
    """Return a field on one line, with a blank between its words."""
    return " ".join(" ".join(lines).split())


def mended(case: Recorded) -> str:
    """Return what we write of a message, on one line. Raises ValueError for a difference that does
    not occur.
    """
    text = words(case.field.split("\n"))
    for old, new in EVERYWHERE:
        text = text.replace(old, new)
    for old, new in DIFFERENT.get(case.title, ()):
        if old not in text:
            raise ValueError(f"{case}: {old}")
        text = text.replace(old, new)
    return text
