"""What is fuzzed: a function for each target, which raises where the bytes find a fault."""

import hashlib
import importlib.util
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import product

from lab.chaos.fuzz.greylist_keys import greylist_keys
from lab.chaos.fuzz.in_a_file import in_a_file
from lab.chaos.fuzz.limit_rules import limit_rules
from lab.chaos.fuzz.milter_replies import milter_replies
from lab.chaos.fuzz.rspamd_answers import rspamd_answers
from lab.peers import second_verifier
from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.backends.sqlite import config
from opensmtpd.dns import Found
from opensmtpd.dns.lookup import Gather, Lookup
from opensmtpd.dns.resolver.process import cache_file
from opensmtpd.errors import ProtocolError, Unsignable, VersionError
from opensmtpd.filter import PROCEED, Decision, Filter, Helo, Session, StreamedMessage, field
from opensmtpd.mail import mailboxes
from opensmtpd.mail.arc.begun import begun_set
from opensmtpd.mail.arc.verify import ArcResult, ArcVerification
from opensmtpd.mail.dkim import canonical_header
from opensmtpd.mail.dkim.canonical_body import RelaxedBody, SimpleBody
from opensmtpd.mail.dkim.keys import key_table
from opensmtpd.mail.dkim.verify.bodies import BodyHashes
from opensmtpd.mail.dkim.verify.keys_worker import judge
from opensmtpd.mail.dkim.verify.verifier import DkimVerification
from opensmtpd.mail.headers.rules import HeaderRules
from opensmtpd.table import Service, Table
from opensmtpd.table.file import TableFile, lines
from opensmtpd.testing import Smtpd
from opensmtpd_cli.smtpdconf import parser
from property.hostile import Dice, Hostile
from property.storm import Storm
from unit.support.ruled_mail import OWN, follow

Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {}


def target(function: Target) -> Target:
    """Enter a function into TARGETS, under its name."""
    TARGETS[function.__name__] = function
    return function


def silent(event: str, session: str | None = None, **fields: object) -> None:
    """Make text of a log line."""
    for value in fields.values():
        str(value)


def pieces(data: bytes) -> list[bytes]:
    """Cut bytes where the first of them say."""
    if not data:
        return []
    size = data[0] % 7 + 1
    return [data[start : start + size] for start in range(1, len(data), size)]


# --- the wire --------------------------------------------------------------------------------


class Streamed(StreamedMessage):
    """Passes lines on."""

    def header(self, lines: list[bytes]) -> list[bytes]:
        return lines

    def body(self, lines: list[bytes]) -> list[bytes]:
        return lines


class Plain(Filter):
    """Answers at once."""

    uses = ("rdns", "fcrdns", "source", "identity", "sender", "recipients")

    def on_helo(self, session: Session, helo: Helo) -> Decision:
        return PROCEED

    def on_message(self, session: Session) -> StreamedMessage:
        return Streamed()


HANDSHAKE = b"config|smtpd-version|7.6.0\nconfig|protocol|0.7\nconfig|ready\n"
FROM_A_FILTER = re.compile(
    rb"register\|(report|filter)\|smtp-in\|[a-z-]+|register\|ready"
    rb"|filter-result\|[0-9a-f]{1,16}\|[0-9a-f]{1,16}\|(proceed|reject\|451 .*)"
    rb"|filter-dataline\|[0-9a-f]{1,16}\|[0-9a-f]{1,16}\|.*"
)


def _filtered(parts: list[bytes]) -> bytes:
    protocol = FilterConnection(Plain(), log=silent)
    out = b""
    for part in [HANDSHAKE, *parts]:
        protocol.receive(part, 0.0)
        while sent := protocol.data_to_send():
            out += sent
    return out


@target
def filter_wire(data: bytes) -> None:
    """Lines of smtpd to a filter, at once and in pieces: what it writes is legal."""
    for parts in ([data[1:]], pieces(data)):
        with suppress(VersionError):
            for line in _filtered(parts).split(b"\n")[:-1]:
                assert FROM_A_FILTER.fullmatch(line), line


class Echo(Table):
    """Answers with the key."""

    services = tuple(Service)

    def lookup(self, service: Service, key: str) -> str | None:
        return key


FROM_A_TABLE = re.compile(
    rb"register\|[a-z]+|(lookup|check|fetch|update)-result\|[^|]*\|"
    rb"(found(\|[^\0\r]+)?|not-found|ok|error(\|.*)?)"
)


def _looked_up(parts: list[bytes]) -> bytes:
    protocol = TableConnection(Echo(), log=silent)
    out = b""
    for part in [b"config|tablename|t\nconfig|ready\n", *parts]:
        protocol.receive(part, 0.0)
        out += protocol.data_to_send()
    return out


@target
def table_wire(data: bytes) -> None:
    """Lines of smtpd to a table."""
    with suppress(VersionError):
        for line in _looked_up(pieces(data)).split(b"\n")[:-1]:
            assert FROM_A_TABLE.fullmatch(line), line


class Guided(Dice):
    """Dice that fall as bytes say, and by chance behind their end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        super().__init__(len(data))

    def random(self) -> float:
        return self.getrandbits(16) / 65536

    def getrandbits(self, k: int, /) -> int:
        count = (k + 7) // 8
        if len(self.data) < count:
            return super().getrandbits(k)
        taken, self.data = self.data[:count], self.data[count:]
        return int.from_bytes(taken, "big") >> (count * 8 - k)


@target
def sessions(data: bytes) -> None:
    """Hostile clients and a hostile filter; the model of smtpd judges."""
    dice = Guided(data)
    protocol = FilterConnection(Hostile(dice), deadline=50.0, log=silent)
    smtpd = Smtpd("7.6.0")
    clients = Storm(dice, smtpd, protocol)
    clients.run(3, 3)
    clients.expire()
    assert smtpd.hung() == []


# --- mail ------------------------------------------------------------------------------------


@target
def header(data: bytes) -> None:
    """Fields of a header: together they are what came."""
    text = b"".join(line + b"\n" for line in data.split(b"\n"))
    found = list(field.items(text))
    whole = [each if isinstance(each, bytes) else each.raw for each in found]
    assert b"".join(one + b"\n" for one in whole) == text, whole
    domains = mailboxes.all_domains(data)
    assert mailboxes.first_domain(data) == (domains[0] if domains else None)


@target
def canonicalization(data: bytes) -> None:
    """Both forms, a run of lines at a time, are those of the second verifier."""
    came = data.split(b"\n")
    runs = [came[:1], came[1:5], came[5:]]
    for name, kind in (("simple", SimpleBody), ("relaxed", RelaxedBody)):
        body = kind()
        for run in runs:
            body.feed(run)
        wanted = hashlib.sha256(second_verifier._body(list(came), name)).digest()
        assert body.digest() == wanted, name
    fold = data.replace(b"\n", b"\n ").replace(b"\r", b"").replace(b"\v", b"").replace(b"\f", b"")
    one = second_verifier.Field((b"X-Name \t:" + fold).split(b"\n"))
    for found in canonical_header.finder((b"x-name",))(b"\nX-Name \t:" + fold):
        assert canonical_header.relaxed(found) + b"\r\n" == one.relaxed
        assert canonical_header.simple(found) + b"\r\n" == one.simple


def answer(lookup: Lookup[None], record: bytes) -> None:
    """Answer each question of a lookup with a record."""
    for questions in lookup:
        assert not isinstance(questions, Gather)
        with suppress(StopIteration):
            lookup.send([Found((record.decode("latin-1"),)) for _ in questions])


@target
def signatures(data: bytes) -> None:
    """DKIM signatures, the record of their key, and a body: results in harmless text."""
    header, _, rest = data.partition(b"\n\n")
    record, _, body = rest.partition(b"\n\n")
    bodies = BodyHashes()
    one = DkimVerification(b"\n" + header, bodies, author="example.com", now=0)
    bodies.feed(body.split(b"\n"))
    bodies.end()
    answer(one.keys(), record)
    for found in one.results([list(judge(claim)) for claim in one.claims()]):
        text = "".join([each for each in found if isinstance(each, str)])
        assert text.isascii(), found
        assert text.isprintable(), found


@target
def chains(data: bytes) -> None:
    """Chains of ARC, and the set that filter-auth has begun: results in harmless text."""
    head, _, rest = data.partition(b"\n\n")
    record, _, body = rest.partition(b"\n\n")
    bodies = BodyHashes()
    one = ArcVerification(b"\n" + head, bodies, now=0)
    bodies.feed(body.split(b"\n"))
    bodies.end()
    answer(one.keys(), record)
    found = one.result([list(judge(claim)) for claim in one.claims()])
    assert found.reason.isascii(), found
    assert found.reason.isprintable(), found
    assert (found.result == "none") == (found == ArcResult("none", next_instance=1))
    with suppress(Unsignable):
        assert 1 <= begun_set(b"\n" + head).instance <= 50


target(milter_replies)
target(rspamd_answers)

# --- files -----------------------------------------------------------------------------------


target(greylist_keys)
target(limit_rules)


@target
def keys(data: bytes) -> None:
    """A key table."""
    in_a_file(data, lambda path: list(key_table.entries(key_table.read(path), path)))


@target
def sqlite_configuration(data: bytes) -> None:
    """The configuration of table-sqlite."""
    in_a_file(data, config.read)


@target
def table_file(data: bytes) -> None:
    """A file of table-flat."""
    in_a_file(data, lambda path: list(TableFile(lines(path), path)))


@target
def header_rules(data: bytes) -> None:
    """Rules of filter-headers, an empty line, and a header that follows them."""
    text, _, header = data.partition(b"\n\n")
    made: list[HeaderRules] = []
    in_a_file(text, lambda path: made.append(HeaderRules(path)))
    for rules, ours in product(made, (True, False)):
        verdict, after = follow(rules, header.rstrip(b"\n") + b"\n", ours=ours)
        assert OWN.partition(b"\n\tby ")[2] in after
        assert verdict.line or not (verdict.junk or verdict.refusal)


@target
def dns_cache(data: bytes) -> None:
    """A cache file whose hash is right."""
    head = cache_file.MAGIC + hashlib.sha256(data).digest()
    in_a_file(head + data, cache_file.load)


@target
def smtpd_conf(data: bytes) -> None:
    """A configuration of smtpd, its words and its tables."""
    in_a_file(data, parser.read)


if importlib.util.find_spec("opensmtpd.worker"):
    frames = importlib.import_module("opensmtpd.worker.frames")

    @target
    def worker_frames(data: bytes) -> None:
        """Frames between our processes."""
        whole, cut = frames.FrameBuffer(), frames.FrameBuffer()
        with suppress(ProtocolError):
            at_once = list(whole.feed(data[1:]))
            bit_by_bit = [one for piece in pieces(data) for one in cut.feed(piece)]
            assert repr(at_once) == repr(bit_by_bit)
