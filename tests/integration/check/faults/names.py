"""Faults in the DNS, of keys and certificates, and of the domains that mail is signed for."""

from collections.abc import Callable

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from integration.check.certificates import certificate
from integration.check.faults.table import FILTER, Fault, add, both, change, record, sh
from integration.check.ground import (
    ADDRESS,
    CERTIFICATE,
    CERTIFICATE_KEY,
    DKIM,
    DMARC,
    KEY,
    SPF,
    Ground,
)
from lab.peers.clients import reverse
from lab.root.namespace import SERVER6

PKI = "pki example.com cert"
PKI_KEY = "pki example.com key"
HERE = "example.com"
PUBLISH = 'publish mail._domainkey.example.com. IN TXT "v=DKIM1; k=rsa; p='
OUTBOUND = 'action "outbound"'
DOMAINS = "match from any for domain"


def public(ground: Ground, tags: str = "v=DKIM1; k=rsa; ") -> str:
    """Return the good record with other tags in front of its key."""
    text = ground.guide.dkim_record.replace('" "', "").strip('"')
    whole = tags + text[text.index("p=") :]
    return " ".join(f'"{whole[start : start + 250]}"' for start in range(0, len(whole), 250))


def new_key(bits: int, *, kept: bool = False, published: bool = False) -> Callable[[Ground], None]:
    """Return what makes a key: in the place of the filter's own, in the place of the record."""

    def plant(ground: Ground) -> None:
        key = rsa.generate_private_key(65537, bits)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        if not kept:
            ground.put(KEY, private.decode(), "0600", "_dkimsign:_dkimsign")
        if published:
            base64 = "".join(pem.decode().splitlines()[1:-1])
            whole = f"v=DKIM1; k=rsa; p={base64}"
            ground.zone[DKIM] = [f'"{whole[:250]}" "{whole[250:]}"']

    return plant


def served(since: float, until: float, *names: str) -> Callable[[Ground], None]:
    """Return what gives the server another certificate, with its key."""

    def plant(ground: Ground) -> None:
        new = certificate(*names, since=since, until=until)
        ground.put(CERTIFICATE, new.certificate)
        ground.put(CERTIFICATE_KEY, new.key, "0600")

    return plant


def other_key(ground: Ground) -> None:
    ground.put(CERTIFICATE_KEY, certificate("example.com").key, "0600")


def includes(count: int) -> Callable[[Ground], None]:
    """Return what has the SPF record ask that many times, and permit the server at the end."""

    def plant(ground: Ground) -> None:
        names = [f"spf{number}.example.net" for number in range(count)]
        for name in names:
            ground.zone[name, "TXT"] = ['"v=spf1 ip4:198.51.100.1 -all"']
        every = " ".join(f"include:{name}" for name in names)
        ground.zone[HERE, "TXT"] = [f'"v=spf1 {every[:200]}" "{every[200:]} ip4:{ADDRESS} -all"']

    return plant


def without_mail_server(ground: Ground) -> None:
    """Sign and take mail for a domain that has all records but MX and A."""
    ground.change("-d example.com", "-d example.com -d example.net")
    ground.add("/etc/mail/domains", "example.net\n")
    ground.zone["mail._domainkey.example.net", "TXT"] = ground.zone[DKIM]
    ground.zone["example.net", "TXT"] = [f'"v=spf1 ip4:{ADDRESS} ip6:{SERVER6} -all"']
    ground.zone["_dmarc.example.net", "TXT"] = [DMARC]


def good_record_with(tags: str) -> Callable[[Ground], None]:
    def plant(ground: Ground) -> None:
        ground.zone[DKIM] = [public(ground, tags)]

    return plant


KEYS = (
    Fault("record of another key", new_key(2048, kept=True, published=True),
          "dkim-key-different", ("mail._domainkey.example.com",), PUBLISH, FILTER,
          severity="warning"),
    Fault("key replaced, record forgotten", new_key(2048),
          "dkim-key-different", ("mail._domainkey.example.com",), PUBLISH, FILTER,
          severity="warning"),
    Fault("key unpublished", record(*DKIM),
          "dkim-key-unpublished", ("mail._domainkey.example.com",), PUBLISH, FILTER,
          severity="warning"),
    Fault("key weak", new_key(1024, published=True),
          "dkim-key-weak", ("1024",), "genkey", FILTER, severity="warning"),
    Fault("key revoked", record(*DKIM, '"v=DKIM1; k=rsa; p="'),
          "dkim-key-revoked", ("mail._domainkey.example.com",), "genkey", FILTER,
          severity="warning"),
    Fault("record broken", record(*DKIM, '"v=DKIM1; k=rsa; p=not/base64!"'),
          "dkim-key-unusable", ("mail._domainkey.example.com",), PUBLISH, FILTER,
          severity="warning"),
    Fault("record for another type of key", good_record_with("v=DKIM1; k=ed25519; "),
          "dkim-key-unusable", ("mail._domainkey.example.com", "algorithm"), PUBLISH, FILTER,
          severity="warning"),
    Fault("record allows web pages alone", good_record_with("v=DKIM1; k=rsa; s=web; "),
          "dkim-key-unusable", ("mail._domainkey.example.com",), PUBLISH, FILTER,
          severity="warning"),
    Fault("selector wrong", change("-s mail ", "-s mial "),
          "dkim-key-unpublished", ("mial._domainkey.example.com",),
          "publish mial._domainkey.example.com.", FILTER,
          severity="warning"),
    Fault("domain typo", change("-d example.com", "-d exmaple.com"),
          "dkim-key-unpublished", ("mail._domainkey.exmaple.com",),
          "write example.com, if that was meant", FILTER,
          severity="warning", also=("dkim-sender-strange",)),
    Fault("senders whom no key matches",
          both(add("/etc/mail/users", "bob:\tbob@example.net\n"),
               record("example.net", "TXT", SPF),
               record("example.net", "MX", "10 example.com."),
               record("_dmarc.example.net", "TXT", '"v=DMARC1; p=none"')),
          "dkim-sender-strange", ("example.net",), "example.net", FILTER, severity="warning"),
)  # fmt: skip

RECORDS = (
    Fault("PTR missing", record(reverse(ADDRESS), "PTR"),
          "reverse-missing", (ADDRESS,), f"{reverse(ADDRESS)}", OUTBOUND, severity="warning"),
    Fault("PTR names another", both(record(reverse(ADDRESS), "PTR", "host25.isp.example."),
                                    record("host25.isp.example", "A", "203.0.113.26")),
          "reverse-unconfirmed", (ADDRESS, "host25.isp.example"), "host25.isp.example. IN A",
          OUTBOUND, severity="warning"),
    Fault("PTR names nobody", record(reverse(ADDRESS), "PTR", "gone.example.com."),
          "reverse-unconfirmed", (ADDRESS, "gone.example.com"), "gone.example.com. IN A",
          OUTBOUND, severity="warning"),
    Fault("HELO name without address",
          both(add("/etc/mailname", ""), sh("echo nosuch.example.com > /etc/mailname")),
          "helo-unresolved", ("nosuch.example.com",), "nosuch.example.com", "nosuch",
          "/etc/mailname",
          severity="warning"),
    Fault("no mail server for a domain that sends", without_mail_server,
          "mx-missing", ("example.net",), "example.net. IN MX", DOMAINS, severity="warning"),
    Fault("MX without address", record(HERE, "MX", "10 mx.example.com."),
          "mx-dead", ("mx.example.com",), "mx.example.com", DOMAINS,
          severity="warning", also=("spf-refuses",)),
    Fault("MX is an address", record(HERE, "MX", f"10 {ADDRESS}."),
          "mx-dead", (ADDRESS,), "A record", DOMAINS,
          severity="warning", also=("spf-refuses",)),
    Fault("SPF missing", record(HERE, "TXT"),
          "spf-missing", ("example.com",), f"v=spf1 ip4:{ADDRESS} -all", FILTER,
          severity="warning"),
    Fault("SPF does not permit the server", record(HERE, "TXT", '"v=spf1 ip4:198.51.100.1 -all"'),
          "spf-refuses", ("example.com", ADDRESS), f"ip4:{ADDRESS}", FILTER, severity="warning"),
    Fault("SPF asks too often", includes(11),
          "spf-lookups", ("example.com", "11 times"), "includes", FILTER, severity="warning"),
    Fault("SPF twice", record(HERE, "TXT", SPF, '"v=spf1 a -all"'),
          "spf-error", ("example.com",), "leave one", FILTER, severity="warning"),
    Fault("SPF misspelt", record(HERE, "TXT", '"v=spf1 mx ipv4:203.0.113.25 -all"'),
          "spf-error", ("example.com", "ipv4"), "mend the record", FILTER,
          severity="warning"),
    Fault("SPF permits everybody", record(HERE, "TXT", '"v=spf1 +all"'),
          "spf-permits-all", ("example.com",), "-all", FILTER, severity="warning"),
    Fault("DMARC missing", record("_dmarc.example.com", "TXT"),
          "dmarc-missing", ("example.com",), "v=DMARC1", FILTER, severity="warning"),
    Fault("DMARC broken", record("_dmarc.example.com", "TXT", '"v=DMARC1; p=rejekt"'),
          "dmarc-wrong", ("_dmarc.example.com", "p="), "mend the record", FILTER,
          severity="warning"),
    Fault("DMARC twice", record("_dmarc.example.com", "TXT", DMARC, '"v=DMARC1; p=reject"'),
          "dmarc-wrong", ("_dmarc.example.com", "2"), "", FILTER, severity="warning"),
    Fault("MTA-STS broken", record("_mta-sts.example.com", "TXT", '"v=STSv1;"'),
          "mta-sts-wrong", ("_mta-sts.example.com", "id="), "mend it", DOMAINS, severity="warning"),
    Fault("MTA-STS without its host", record("_mta-sts.example.com", "TXT", '"v=STSv1; id=1"'),
          "mta-sts-wrong", ("mta-sts.example.com", "no address"), "mend it", DOMAINS,
          severity="warning"),
    Fault("TLS-RPT broken", record("_smtp._tls.example.com", "TXT", '"v=TLSRPTv1"'),
          "tls-rpt-wrong", ("_smtp._tls.example.com",), "mend it", DOMAINS, severity="warning"),
)  # fmt: skip

CERTIFICATES = (
    Fault("certificate expired", served(-90, -1, HERE),
          "pki-expired", (CERTIFICATE,), "renew it", PKI, severity="warning"),
    Fault("certificate not valid yet", served(2, 90, HERE),
          "pki-early", (CERTIFICATE,), "clock", PKI, severity="warning"),
    Fault("certificate about to expire", served(-88, 2, HERE),
          "pki-expires", (CERTIFICATE,), "renew it", PKI, severity="warning"),
    Fault("certificate of another name", served(-1, 80, "www.other.example"),
          "pki-names", (CERTIFICATE, "www.other.example", HERE), HERE, PKI, severity="warning"),
    Fault("key of another certificate", other_key,
          "pki-key", (CERTIFICATE_KEY, CERTIFICATE), "", PKI_KEY),
    Fault("certificate's key readable by all", sh(f"chmod 644 {CERTIFICATE_KEY}"),
          "pki-mode", (CERTIFICATE_KEY,), f"chmod g-wx,o= {CERTIFICATE_KEY}", PKI_KEY,
          also=("conf-refused",)),
    Fault("certificate missing", sh(f"rm {CERTIFICATE}"),
          "pki-missing", (CERTIFICATE,), "correct the path", PKI, also=("conf-refused",)),
)  # fmt: skip
