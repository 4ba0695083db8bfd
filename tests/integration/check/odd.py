"""Things that look like faults and are none: ``check`` must say nothing of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from integration.check.certificates import certificate
from integration.check.faults.names import includes, served
from integration.check.faults.rules import waiting
from integration.check.faults.table import Base, add, both, change, record
from integration.check.ground import ADDRESS, CONF, DKIM, Ground
from integration.check.servers import ANSWERS
from lab.peers.clients import reverse
from lab.root.namespace import SERVER6

LIBEXEC = "/usr/libexec/opensmtpd"
PUBLIC4 = "203.0.113.25"
INBOUND = "filter { check_rdns"


class Odd(NamedTuple):
    """One thing that is as it should be."""

    title: str
    plant: Callable[[Ground], object]
    base: Base = "guide"
    smtpd: str = "7.6"


def rules(*lines: str) -> Callable[[Ground], None]:
    """Return what adds directives at the end of smtpd.conf."""
    return add(CONF, "".join(f"{line}\n" for line in lines))


def filtered(definition: str, name: str = "other") -> Callable[[Ground], None]:
    """Return what puts a filter in front of those of incoming mail."""
    return both(
        change("# macros", f"{definition}\n\n# macros"),
        change(INBOUND, f"filter {{ {name} check_rdns"),
    )


def script(name: str, text: str = ANSWERS, path: str = LIBEXEC) -> Callable[[Ground], None]:
    """Return what installs a filter of somebody else."""
    return lambda ground: ground.put(f"{path}/{name}", text, "0755")


def nothing(ground: Ground) -> None:
    """Leave it as it is."""


def public_addresses(ground: Ground) -> None:
    """No network address translation: what the configuration says is what the world sees."""
    ground.options = []
    ground.change('ipv4 = "192.168.0.1"', f'ipv4 = "{PUBLIC4}"')
    ground.put("/etc/mail/hosts", f"{PUBLIC4}\n", "0640")


def ipv6_alone(ground: Ground) -> None:
    text = ground.read(CONF)
    kept = [line for line in text.splitlines(True) if "$ipv4" not in line and "ipv4 =" not in line]
    (ground.view / CONF[1:]).write_text("".join(kept))
    ground.put("/etc/mail/hosts", f"{SERVER6}\n", "0640")
    ground.options = []
    del ground.zone["example.com", "A"], ground.zone[reverse(ADDRESS), "PTR"]


def included(ground: Ground) -> None:
    """Half of the configuration stands in another file."""
    text = ground.read(CONF)
    head, mark, rest = text.partition("# rules\n")
    ground.put("/etc/mail/rules.conf", mark + rest, "0640")
    (ground.view / CONF[1:]).write_text(f'{head}include "/etc/mail/rules.conf"\n')


def certificates(ground: Ground) -> None:
    """A wildcard's, with others behind it in the file, and a key that a group may read."""
    served(-1, 80, "*.example.com", "example.com")(ground)
    ground.add("/etc/ssl/example.com.crt", certificate("An Authority", until=900).certificate)
    ground.sh("chgrp ssl-cert /etc/ssl/private/example.com.key;"
              " chmod 640 /etc/ssl/private/example.com.key")  # fmt: skip


def key_elsewhere(ground: Ground) -> None:
    """The record is an alias for one that somebody else keeps."""
    ground.zone["k1.provider.example", "TXT"] = ground.zone.pop(DKIM)
    ground.zone[DKIM[0], "CNAME"] = ["k1.provider.example."]


def tags(text: str) -> Callable[[Ground], None]:
    """Return what writes other tags in front of the key in its record."""

    def plant(ground: Ground) -> None:
        key = ground.guide.dkim_record.replace('" "', "").strip('"').partition("p=")[2]
        ground.zone[DKIM] = [f'"{text} p={key[:200]}" "{key[200:]}"']

    return plant


def key_table(ground: Ground) -> None:
    """Two selectors in a key table, of two types."""
    ground.sh("cd /etc/mail/dkim; openssl genpkey -algorithm ed25519 -out ed.key;"
              " openssl pkey -in ed.key -pubout -outform DER | tail -c 32 | base64 > ed.pub;"
              " chown _dkimsign:_dkimsign ed.key; chmod 600 ed.key")  # fmt: skip
    public = ground.read("/etc/mail/dkim/ed.pub").strip()
    ground.sh("rm /etc/mail/dkim/ed.pub")
    ground.zone["ed._domainkey.example.com", "TXT"] = [f'"v=DKIM1; k=ed25519; p={public}"']
    rows = (
        "example.com mail /etc/mail/dkim/private.key\n"
        "example.com ed /etc/mail/dkim/ed.key ed25519-sha256\n"
    )
    ground.put("/etc/mail/dkim/keytable", rows, "0640", "_dkimsign:_dkimsign")
    ground.change("-d example.com -s mail -k /etc/mail/dkim/private.key",
                  "-f /etc/mail/dkim/keytable")  # fmt: skip


def socket_alone(ground: Ground) -> None:
    """No listener but smtpd's own socket: mail of this machine goes out, and none comes in."""
    rules = 'action "out" relay src <hosts>\nmatch from local for any action "out"\n'
    ground.put(CONF, f"table hosts file:/etc/mail/hosts\nlisten on socket\n{rules}", "0640")


def two_certificates(ground: Ground) -> None:
    """One for each type of key, both for the same names."""
    new = certificate("example.com")
    ground.put("/etc/ssl/ec.crt", new.certificate)
    ground.put("/etc/ssl/private/ec.key", new.key, "0600")
    ground.change(
        "# tables", 'pki ec cert "/etc/ssl/ec.crt"\npki ec key "/etc/ssl/private/ec.key"\n#'
    )
    ground.change("pki example.com auth mask", "pki example.com pki ec auth mask")


def behind_links(ground: Ground) -> None:
    """The key in OpenSSL's older form, and links where files and folders are looked for."""
    ground.sh("cd /etc/mail/dkim; openssl rsa -traditional -in private.key -out old.key;"
              " chown _dkimsign:_dkimsign old.key; chmod 600 old.key;"
              " mv old.key k2026.key; rm private.key; ln -s k2026.key private.key;"
              " mv /etc/mail /etc/smtpd; ln -s smtpd /etc/mail")  # fmt: skip


def lets_encrypt(ground: Ground) -> None:
    """Links of certbot, in directories that are root's alone."""
    for kind, old in (("fullchain", "example.com.crt"), ("privkey", "private/example.com.key")):
        link = f"/etc/letsencrypt/live/example.com/{kind}.pem"
        ground.sh(f"install -d -m 0700 /etc/letsencrypt/live /etc/letsencrypt/archive/example.com;"
                  f" mkdir -p /etc/letsencrypt/live/example.com;"
                  f" mv /etc/ssl/{old} /etc/letsencrypt/archive/example.com/{kind}1.pem;"
                  f" ln -s ../../archive/example.com/{kind}1.pem {link}")  # fmt: skip
        ground.change(f"/etc/ssl/{old}", link)
    ground.add("/etc/letsencrypt/archive/example.com/fullchain1.pem",
               certificate("R3", until=900).certificate)  # fmt: skip


def two_key_tables(ground: Ground) -> None:
    """A signer for each of two domains, in one chain; one signs what is its own only."""
    ground.sh("cd /etc/mail/dkim; openssl genrsa -out net.key 2048;"
              " openssl rsa -in net.key -pubout -outform DER | base64 -w0 > /tmp/net.pub;"
              " chown _dkimsign:_dkimsign net.key; chmod 600 net.key")  # fmt: skip
    public = ground.read("/tmp/net.pub")
    ground.zone["s._domainkey.example.net", "TXT"] = [
        f'"v=DKIM1; k=rsa; p={public[:200]}" "{public[200:]}"'
    ]
    ground.zone["example.net", "TXT"] = [f'"v=spf1 ip4:{ADDRESS} ip6:{SERVER6} -all"']
    ground.zone["_dmarc.example.net", "TXT"] = ['"v=DMARC1; p=reject"']
    for name, row in (
        ("one", "example.com mail private.key\n"),
        ("two", "# comment\nexample.net s /etc/mail/dkim/net.key rsa-sha256\n"),
    ):
        ground.put(f"/etc/mail/dkim/{name}.keys", row, "0640", "root:_dkimsign")
    ground.change('"filter-dkimsign -d example.com -s mail -k /etc/mail/dkim/private.key"',
                  '"filter-dkimsign -u skip -f /etc/mail/dkim/one.keys"')  # fmt: skip
    ground.change("# macros",
                  'filter net proc-exec "/usr/libexec/opensmtpd/filter-dkimsign --unmatched=skip'
                  ' --key-table=/etc/mail/dkim/two.keys" user _dkimsign group _dkimsign\n'
                  "filter sign chain { dkimsign, net }\n# macros")  # fmt: skip
    ground.change("filter { dkimsign } hostname", "filter sign hostname")


def recorded(ground: Ground) -> None:
    """A signer and a table are recorded."""
    ground.sh("install -d -o _dkimsign -m 0700 /var/log/dkimsign;"
              " install -d -o opensmtpd -m 0700 /var/log/tables")  # fmt: skip
    recorder = "filter-record --no-bodies /var/log/dkimsign/capture --"
    ground.change('"filter-dkimsign ', f'"{recorder} filter-dkimsign ')
    ground.put("/etc/mail/record.conf",
               "table flat:/etc/mail/users\ncapture /var/log/tables/users\n")  # fmt: skip
    ground.sh("chgrp opensmtpd /etc/mail/users; chmod 640 /etc/mail/users")
    ground.change("table users file:/etc/mail/users", "table users record:/etc/mail/record.conf")


PROVIDER = """\
# A server of many words.
MAIL = "example.com"
here = "{ 192.168.0.1, 2001:db8:: }"
pki $MAIL cert "/etc/ssl/example.com.crt"
pki $MAIL key "/etc/ssl/private/example.com.key"
pki $MAIL dhe auto
srs key "a long secret of the server"
srs key backup "the secret of the year before"
smtp max-message-size 50M
smtp sub-addr-delim "-"
queue compression
queue ttl 3d
bounce warn-interval 6h, 1d
mta max-deferred 50
smtp limit max-rcpt 500
table ours { "example.com", "mail.example.com" }
table names { "192.168.0.1" = "example.com", "2001:db8::" = "example.com" }
table virtuals { "postmaster" = "vmail", "abuse@example.com" = "vmail, alice-spam",
    "@example.com" = "alice", "@mail.example.com" = "alice@example.com" }
table blocked { "@spam.example", "bad@example.org" }
table sources { "192.168.0.1", "2001:db8::" }
table helos { "192.168.0.1" = "example.com", "2001:db8::" = "example.com" }
filter "ehlo" phase helo match helo regex { "^example\\.com$" } disconnect "550 that is me"
filter "none" phase mail-from match mail-from regex { "@spam\\.example$" } reject "550 no"
filter "in" chain { "ehlo", "none" }
listen on socket
listen on lo0
listen on 192.168.0.1 port smtp tls pki $MAIL filter "in" hostnames <names>
listen on 2001:db8:: port 25 tls pki $MAIL filter "in" hostnames <names>
listen on 192.168.0.1 smtps pki $MAIL auth tag USERS mask-src
listen on 192.168.0.1 port submission tls-require pki $MAIL auth tag USERS mask-src
action "box" lmtp "/run/dovecot/lmtp" rcpt-to virtual <virtuals> user alice
action "list" mda "/usr/bin/true" user alice
action "further" forward-only virtual <virtuals>
action "out" relay srs src <sources> helo-src <helos>
match from any mail-from <blocked> for any reject
match from any for rcpt-to { "list@example.com", "list-request@example.com" } action "list"
match from any for domain <ours> action "box"
match for local action "further"
match from any auth tag USERS for any action "out"
match for any action "out"
"""


def provider(ground: Ground) -> None:
    """Other words of the language."""
    ground.put(CONF, PROVIDER, "0640", "root:opensmtpd")
    ground.sh("id vmail 2>/dev/null || useradd --system vmail")


SMALL = """\
table aliases file:/etc/aliases
table secrets file:/etc/mail/secrets
listen on localhost
action "local" mbox alias <aliases>
action "relay" relay host smtp+tls://provider@smtp.provider.example:587 auth <secrets> \\
    mail-from "@example.com"
match for local action "local"
match from local for any action "relay"
"""


def small(ground: Ground) -> None:
    """A machine that sends reports by its provider's server, and a name of its own network."""
    ground.put("/etc/mail/secrets", "provider user:secret\n", "0640", "root:opensmtpd")
    ground.put("/etc/aliases", "root: alice\nalice: alice@example.org, \\alice\n")
    ground.put("/etc/mailname", "box.lan\n")
    ground.put(CONF, SMALL)
    ground.options = []
    ground.zone = {("smtp.provider.example", "A"): ["198.51.100.44"]}


ALIASES = """
# names of RFC 2142, programs, files, lists, and what looks like a loop
postmaster: root
bob: bob@example.net
list: :include:/etc/mail/list
archive: "|/usr/bin/tee -a /tmp/archive"
trash: /dev/null
gone: error:550 no longer here
sales: alice+sales
web2: user01, alice
"john.doe": alice
MAILER-DAEMON: postmaster
a: b
b: c
c: d, a2@example.org
d: alice
"""

ODD = (
    Odd("public addresses, and no option", public_addresses),
    Odd("IPv6 alone", ipv6_alone, smtpd="7.9"),
    Odd("half of it included", included),
    Odd("aliases of all kinds",
        both(lambda ground: ground.sh("useradd --create-home user01"),
             lambda ground: ground.put("/etc/mail/list", "alice\nbob@example.org\n"),
             add("/etc/mail/aliases", ALIASES))),
    Odd("rules that let in whom they should", both(
        record("partner.example", "MX", "10 example.com."),
        record("backed.example", "MX", "5 mx.backup.example.", "10 example.com."),
        record("mx.backup.example", "A", "198.51.100.77"), rules(
        'action "onward" relay host smtp://192.168.0.9',
        'action "spare" relay backup mx example.com',
        'match from src { "10.0.0.0/8", "192.168.0.0/16", "203.0.113.0/24" } for any'
        ' action "outbound"',
        'match from src "fd00::/8" for any action "outbound"',
        'match from any mail-from "@spam.example" for any reject',
        'match from any for domain "partner.example" action "onward"',
        'match from any for domain "backed.example" action "spare"',
        'match from any for rcpt-to "postmaster@partner.example" action "onward"',
        ))),
    Odd("tags of listeners that only some can reach",
        both(change("listen on lo0 filter", "listen on lo0 port 10025 tag BACK filter"),
             change("listen on $ipv4 port 587 tls-require",
                    "listen on $ipv4 port 587 tls-require tag SUBMIT"),
             rules('match from any tag BACK for any action "outbound"',
                   'match from any tag SUBMIT for any action "outbound"'))),
    Odd("submission for this machine, without TLS",
        change("# rules", 'listen on lo0 port 587 filter "dkimsign"\n# rules')),
    Odd("several listeners, one of them plain",
        change("# rules", "listen on $ipv4 port 2525 filter { check_rdns }\n"
                          "listen on $ipv4 port 26 tls $optional\n# rules")),
    Odd("a filter of somebody else, with flags",
        both(script("filter-scan"), filtered(
            'filter other proc-exec "filter-scan -url http://127.0.0.1:3310'
            ' -log /var/log/scan.log -socket /run/nosuch.sock 2>>/dev/null"'))),
    Odd("a filter by its interpreter",
        both(script("answer.sh", path="/opt/filters"),
             filtered('filter other proc-exec "/bin/sh /opt/filters/answer.sh"'))),
    Odd("a filter behind a proc, in a chroot",
        both(script("filter-x"), filtered(
            'proc p "filter-x" user nobody chroot "/"\nfilter other proc p'))),
    Odd("a filter in a chain",
        both(script("filter-x"),
             change("# macros", 'filter inner proc-exec "filter-x"\n'
                                "filter all chain { inner check_rdns check_fcrdns }\n\n# macros"),
             change("filter { check_rdns check_fcrdns }", "filter all"))),
    Odd("a filter of outgoing mail",
        both(script("filter-x"), change("# macros", 'filter out proc-exec "filter-x"\n\n# macros'),
             change("relay src <hosts>", "relay src <hosts> filter out"))),
    Odd("the signer in C", change("filter-dkimsign -d", "filter-dkimsign.c-original -d")),
    Odd("certificates with a chain, and for all names", certificates),
    Odd("a key that somebody else publishes", key_elsewhere),
    Odd("a record with few tags", tags("")),
    Odd("a record with many tags", tags(" v=DKIM1 ; h=sha256 ; t=s; s=email:*; n=notes here;")),
    Odd("a key table", key_table),
    Odd("links of certbot", lets_encrypt),
    Odd("a key table for each of two domains", two_key_tables),
    Odd("a signer and a table that are recorded", recorded),
    Odd("many words", provider),
    Odd("many words, 7.9", provider, smtpd="7.9"),
    Odd("a small machine behind its provider", small),
    Odd("filter-metrics, recorded", both(
        lambda ground: ground.sh("install -d -o nobody -m 0755 /run/metrics"),
        filtered('filter other proc-exec "filter-metrics --file /run/metrics/smtpd.prom"'
                 " user nobody"))),
    Odd("SPF with all that is allowed", includes(10)),
    Odd("SPF elsewhere",
        both(record("example.com", "TXT", '"google-site-verification=abc"',
                    '"v=spf1 " "redirect=_spf.example.com"'),
             record("_spf.example.com", "TXT", '"v=spf1 exists:%{i}._no.example.com'
                    f' ip4:{ADDRESS}/32 ip6:2001:db8::/32 ~all"'))),
    Odd("DMARC with all tags, MTA-STS and TLS-RPT",
        both(record("_dmarc.example.com", "TXT",
                    '"v=DMARC1;p=quarantine;sp=reject;pct=50;adkim=s;aspf=r;fo=1:d:s;ri=86400;'
                    'rua=mailto:a@example.com!10m,mailto:b@reports.example;ruf=mailto:c@example.com;"'),
             record("example.com._report._dmarc.reports.example", "TXT", '"v=DMARC1"'),
             record("_mta-sts.example.com", "TXT", '"v=STSv1; id=20260101T000000;"'),
             record("mta-sts.example.com", "A", "198.51.100.80"),
             record("_smtp._tls.example.com", "TXT", '"v=TLSRPTv1; rua=mailto:tls@example.com"'))),
    Odd("mail servers of others beside ours",
        both(record("example.com", "MX", "10 example.com.", "20 mx.backup.example."),
             record("mx.backup.example", "A", "198.51.100.77"))),
    Odd("a PTR that names the provider",
        both(record(reverse(ADDRESS), "PTR", "host25.isp.example."),
             record("host25.isp.example", "A", ADDRESS))),
    Odd("two PTRs, one of them confirmed",
        record(reverse(ADDRESS), "PTR", "gone.example.net.", "example.com.")),
    Odd("passwords in a file that smtpd alone reads",
        both(lambda ground: ground.sh("echo alice $(openssl passwd -6 secret) > /etc/mail/passwd;"
                                      " chown opensmtpd:dovecot /etc/mail/passwd;"
                                      " chmod 440 /etc/mail/passwd"),
             change("# Blocks", "table passwd file:/etc/mail/passwd\n# Blocks"),
             change("pki example.com auth mask", "pki example.com auth <passwd> mask"))),
    Odd("users of a table, not of the system",
        both(lambda ground: ground.put("/etc/mail/base", "virtual1 1000:1000:/srv/mail/virtual1\n"),
             lambda ground: ground.put("/etc/mail/virtuals", "info@example.com virtual1\n"
                                       "@mail.example.com info@example.com\n"),
             change("# Blocks", "table base file:/etc/mail/base\n"
                                "table virtuals file:/etc/mail/virtuals\n# Blocks"),
             change("junk alias <aliases>", "junk virtual <virtuals> userbase <base>"))),
    Odd("a name that is not the domain's",
        both(lambda ground: ground.put("/etc/mailname", "mx7.example.com\n"),
             record("mx7.example.com", "A", ADDRESS))),
    Odd("SPF that permits an address by its name",
        record("example.com", "TXT", '"v=spf1 a:example.com -all"')),
    Odd("mail goes by a smarthost: no address is ours",
        both(change("relay src <hosts>", 'relay host "smtp+tls://relay.example.net"'),
             record("relay.example.net", "A", "198.51.100.99"),
             record(reverse(ADDRESS), "PTR"), lambda ground: ground.options.clear(),
             record("example.com", "TXT", '"v=spf1 ip4:198.51.100.99 -all"'))),
    Odd("mail that waits for an hour", waiting(timedelta(hours=1))),
    Odd("rules for those who have logged in, in other words",
        both(change("match auth from any for any action", "match from auth for any action"),
             change("match from local for any action", "match for any action"))),
    Odd("no listener but the socket", socket_alone),
    Odd("two certificates", two_certificates),
    Odd("links, and the older form of a key", behind_links),
    Odd("settings of all kinds", both(
        lambda ground: ground.put("/etc/mail/srs", "srs key 0123456789abcdef\n", "0600"),
        change("# macros", "smtp max-message-size 50M\nsmtp ciphers \"HIGH:!aNULL\"\n"
               "queue ttl 5d\nqueue compression\nmta max-deferred 50\nmta limit for domain"
               ' "example.org" max-conn-per-domain 2\nbounce warn-interval 1h, 2d\n'
               'admd "example.com"\ninclude "/etc/mail/srs"\n\n# macros'),
        change('relay src <hosts>', 'relay src <hosts> srs tls'))),
    Odd("macros and lines that go on", both(
        change('ipv6 = "2001:db8::"', 'ipv6 = "2001:db8::"\nname = "example.org"'),
        record("example.org", "MX", "10 example.com."),
        rules("match from any \\", '    for domain { $name, "*.example.org" } \\',
              '    action "maildir"'))),
    Odd("deliveries of all kinds", both(
        lambda ground: ground.sh("useradd --system vmail"),
        rules('action a1 mda "/usr/bin/tee -a /tmp/%{rcpt}" user vmail',
              'action a2 maildir "/srv/%{dest.user}" user vmail',
              "action a3 expand-only alias <aliases>",
              "action a4 forward-only alias <aliases>", 'action a5 lmtp "127.0.0.1:24" user vmail',
              *(f'match from any for domain "n{n}.example" action a{n}' for n in range(1, 6))),
        *(record(f"n{n}.example", "MX", "10 example.com.") for n in range(1, 6)))),
    Odd("filters that smtpd has itself", both(
        change("# macros", 'filter f1 phase mail-from match mail-from regex { ".*@x\\.example" }'
               ' reject "550 no"\nfilter f2 phase helo match !helo regex { "\\." } junk\n'
               "filter f3 phase connect match src { 10.0.0.0/8 } bypass\n\n# macros"),
        change("filter { check_rdns", "filter { f3 f1 f2 check_rdns"))),
    Odd("senders of a subdomain, and of a whole domain", both(
        add("/etc/mail/users", "news: news@lists.example.com\nstaff: @example.com\n"),
        record("lists.example.com", "MX", "10 example.com."),
        record("lists.example.com", "TXT", '"v=spf1 mx -all"'))),
    Odd("Debian 12", nothing, smtpd="6.8"),
    Odd("smtpd 7.9", nothing, smtpd="7.9"),
)  # fmt: skip
