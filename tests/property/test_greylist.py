"""The laws of greylisting: equal keys, lists that mean what postgrey's do, and who has to wait."""

import argparse
import re
import warnings
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from opensmtpd.backends.state.steps import KEY_MAX, key_of
from opensmtpd.errors import ConfigError
from opensmtpd.mail import networks
from opensmtpd.mail.client import Client, IPAddress, rdns, text
from opensmtpd.mail.greylist import keys
from opensmtpd.mail.greylist.perl import extended
from opensmtpd.mail.greylist.postgrey import ListedClients, ListedRecipients
from opensmtpd.table.matching.regex import Regexes
from unit.support.greylisted import Greylisted
from unit.support.mail_client import HERE

IPV4 = st.integers(0, 2**32 - 1).map(IPv4Address)
IPV6 = st.integers(0, 2**128 - 1).map(IPv6Address)
BYTES = st.binary(max_size=60)
PARTS = st.text("abAB01_-.=+é", max_size=12)


# --- keys -----------------------------------------------------------------------------------------


@given(st.one_of(st.tuples(IPV4, IPV4), st.tuples(IPV6, IPV6)), st.data())
def test_networks(pair: tuple[IPAddress, IPAddress], data: st.DataObject) -> None:
    """Two addresses have one key where so many of their bits are equal."""
    size = pair[0].max_prefixlen
    bits = data.draw(st.integers(1, size))
    near = type(pair[0])(int(pair[0]) ^ int(pair[1]) >> data.draw(st.integers(0, size)))
    flags = argparse.Namespace(network4=bits, network6=bits)
    one, two = (networks.network(each, flags) for each in (pair[0], near))
    assert pair[0] in ip_network(one)
    assert ip_network(one).prefixlen == bits
    assert (one == two) is (int(pair[0]) >> (size - bits) == int(near) >> (size - bits))


@given(st.one_of(BYTES, PARTS.map(str.encode)), BYTES, st.text("ab\0\xff", max_size=300))
def test_any_address_has_a_key(sender: bytes, recipient: bytes, name: str) -> None:
    key = [name, keys.sender(sender), text(recipient).lower()]
    assert len(key_of(key)) <= KEY_MAX + 1
    assert keys.sender(sender.upper()) == keys.sender(sender.lower())


@given(PARTS, PARTS, st.integers(0, 10**12), st.integers(0, 10**12), BYTES)
@example("x-", "", 1, 2, b"example.org")
def test_senders_whose_numbers_differ(
    front: str, back: str, one: int, two: int, domain: bytes
) -> None:
    assume("=" not in front)  # a number of ten digits may be a tag of BATV
    senders = [f"{front}-{number}-{back}@".encode() + domain for number in (one, two)]
    assert len(set(map(keys.sender, senders))) == 1


@given(st.text("abAB01_-.", max_size=12), PARTS, BYTES)
def test_senders_with_an_extension(user: str, extension: str, domain: bytes) -> None:
    extended_ = f"{user}+{extension}@".encode() + domain
    assert keys.sender(extended_) == keys.sender(user.encode() + b"@" + domain)


@given(st.from_regex(r"\A[0-9a-f]{10}\Z"), st.text("abAB01_-.", max_size=9), BYTES)
def test_senders_with_a_tag(tag: str, user: str, domain: bytes) -> None:
    plain = keys.sender(user.encode() + b"@" + domain)
    for tagged in (f"prvs={tag}={user}@", f"prvs={user}={tag}@"):
        assert keys.sender(tagged.encode() + domain) == plain


# --- expressions of Perl --------------------------------------------------------------------------

MEMBERS = st.sampled_from(
    [
        *("a", "b", "z", "0", "9", ".", "_", "=", ":", "[", "^", "-", "\\.", "\\-", "\\]", "\\["),
        *("\\^", "\\\\", "\\d", "\\w", "a-z", "0-9", "X-b", ".-9", "a-f", "\\--9", "+-\\/"),
    ]
)
SETS = st.tuples(
    st.sampled_from(["[", "[^"]),
    st.sampled_from(["", "", "]", "-"]),
    st.lists(MEMBERS, min_size=1, max_size=4).map("".join),
    st.sampled_from(["]", "-]"]),
).map("".join)
ATOMS = st.one_of(
    st.sampled_from(
        [
            *("a", "b", "mx", "1", "-", "_", "A", ".", ".", "\\.", "\\-", "\\_", "\\/", "\\<"),
            *("\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\'", "]", ",", "\\{", "\\+"),
        ]
    ),
    SETS,
)
ANCHORS = st.sampled_from(["^", "$", "\\A", "\\Z", "\\b", "\\B"])
REPEATS = st.sampled_from(
    [*("", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", "??", "{1,2}?")]
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(st.sampled_from(["(", "(?:"]), inner, st.just(")"), REPEATS).map("".join),
    )


EXPRESSIONS = st.recursive(
    st.one_of(st.tuples(ATOMS, REPEATS).map("".join), ANCHORS), larger, max_leaves=6
)
SOUP = st.text("ab1.*+?{}()[]^$|\\,-:=dDwWsSbBAZ<", max_size=10)
TEXTS = st.lists(st.text("ab1zm.-_]^[\\/ +=:'<", min_size=1, max_size=7), min_size=1, max_size=8)


def ours(expression: str, names: list[str]) -> list[bool]:
    """Return which names an expression matches. Raises ValueError for one that is refused."""
    regexes = Regexes()
    regexes.add(f"(?i){extended(expression)}")
    return [regexes.find(name) is not None for name in names]


def theirs(expression: str, names: list[str]) -> list[bool] | None:
    """Return what Python finds, whose expressions are Perl's in what is generated here.

    None where it takes none: Perl would not, either, or would warn of a range that is none.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of sets that may mean more one day
            pattern = re.compile(expression, re.ASCII | re.IGNORECASE)
    except re.error:
        return None
    return [pattern.search(name) is not None for name in names]


@settings(max_examples=2000)
@given(EXPRESSIONS, TEXTS)
@example("[a-z-9][--b][^]][a\\]^]", ["a]]^"])
def test_expressions_match_as_in_perl(expression: str, names: list[str]) -> None:
    expected = theirs(expression, names)
    assume(expression and expected is not None)
    assert ours(expression, names) == expected


@settings(max_examples=3000)
@given(SOUP, TEXTS)
def test_what_is_taken_matches_as_in_perl(expression: str, names: list[str]) -> None:
    expected = theirs(expression, names)
    # Python knows no classes of characters between brackets.
    assume(expected is not None and "[:" not in expression)
    with suppress(ValueError):
        assert ours(expression, names) == expected


@settings(max_examples=500)
@given(st.text(max_size=20))
def test_any_other_text_is_refused_at_most(expression: str) -> None:
    with suppress(ValueError):
        ours(expression, ["", "a"])


# --- lists ----------------------------------------------------------------------------------------

LABELS = st.sampled_from(["a", "b", "ab", "mx", "x-1", "_a", "xa"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
USERS = st.lists(st.sampled_from(["a", "b", "A", "+", "+", "ab", "."]), max_size=5).map("".join)
ROWS = st.one_of(
    st.tuples(USERS, st.just("@"), DOMAINS).map("".join), USERS.map("{}@".format), DOMAINS
)


def postgrey(row: str) -> re.Pattern[str]:
    """Return the expression that postgrey makes of a row of its list of recipients."""
    user, at, domain = map(re.escape, row.partition("@"))
    found = f"^{user}(\\+[^@]+)?@{domain}$" if domain else f"^{user}(\\+[^@]+)?@"
    return re.compile(found if at else f"(@|\\.){user}$", re.IGNORECASE)


def written(folder: str, content: bytes) -> list[str]:
    path = Path(folder, "list")
    path.write_bytes(content)
    return [str(path)]


@settings(max_examples=300)
@given(
    st.lists(ROWS, min_size=1, max_size=5),
    st.lists(st.tuples(USERS, st.just("@"), DOMAINS).map("".join), min_size=1, max_size=8),
)
def test_recipients_are_listed_as_in_postgrey(rows: list[str], recipients: list[str]) -> None:
    with TemporaryDirectory() as folder:
        listed = ListedRecipients(written(folder, "\n".join(rows).encode()))
    for recipient in recipients:
        expected = any(postgrey(row).search(recipient) for row in rows)
        assert (recipient.encode() in listed) is expected, (rows, recipient)


@settings(max_examples=300)
@given(st.lists(DOMAINS, min_size=1, max_size=5), st.lists(DOMAINS, min_size=1, max_size=8))
def test_names_of_clients_are_listed_as_in_postgrey(rows: list[str], names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        listed = ListedClients(written(folder, "\n".join(rows).encode()))
    for name in names:
        client = Client(IPv4Address("192.0.2.5"), HERE, name, "pass")
        expected = any(re.search(f"(^|\\.){re.escape(row)}$", name) for row in rows)
        assert (client in listed) is expected, (rows, name)


LINES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [
                *(b"10", b"10.0", b"1.2.3.4/33", b"::/0", b"/a/", b"/[/", b"a@", b"@", b"."),
                *(b"# @list", b"a b", b"/(a|b)+$/", b"*.example.org", b"\xff\xfe", b"[::1]:25"),
            ]
        ),
    ),
    max_size=4,
).map(b"\n".join)


@pytest.mark.parametrize("read", [ListedClients, ListedRecipients])
@settings(max_examples=400)
@given(content=LINES, raw=BYTES, address=st.one_of(IPV4, IPV6, st.none()))
def test_any_file_is_read_or_refused(
    read: type[ListedClients] | type[ListedRecipients],
    content: bytes,
    raw: bytes,
    address: IPAddress | None,
) -> None:
    with TemporaryDirectory() as folder:
        paths = written(folder, content)
        try:
            listed = read(paths)
        except ConfigError:
            return
    name = rdns(raw.replace(b"\n", b""))
    found = raw in listed if isinstance(listed, ListedRecipients) else None
    for verdict in ("pass", "fail"):
        client = Client(address, HERE, name, verdict)
        found = client in listed if isinstance(listed, ListedClients) else found
    assert found in (True, False)


# --- who has to wait ------------------------------------------------------------------------------

ZONE = {"spf.example": "v=spf1 ip4:192.0.2.5 ip4:203.0.113.5 -all"}
SOURCES = (b"192.0.2.5:1", b"192.0.2.77:1", b"203.0.113.5:1", b"198.51.100.5:1")
SENDERS = (b"bob@spf.example", b"carol@spf.example", b"bob@nospf.example")
RECIPIENTS = (b"alice@example.com", b"dave@example.com")
PASSTIME, GREYEXP, WHITEEXP, HOUR = 300, 14400, 50000, 3600
MAILS = st.tuples(
    st.sampled_from(SOURCES),
    st.sampled_from(SENDERS),
    st.sampled_from(RECIPIENTS),
    st.sampled_from([0, 1, 299, 300, 1000, 3600, 14399, 14400, 50000]),
)


class GreylistModel:
    """The rules in plain Python: what is known of each client, and until when."""

    def __init__(self, enough: int) -> None:
        self.enough, self.now = enough, 0
        self.counts: dict[str, tuple[int, int, int]] = {}
        """How often a client has passed, when that was last, and until when it is known."""
        self.tries: dict[tuple[str, bytes, bytes], tuple[int, bool, int]] = {}
        """The first attempt, whether one has passed, and until when it is known."""

    def white(self, name: str) -> bool:
        count, _, until = self.counts.get(name, (0, 0, 0))
        if self.now >= until or not self.enough or count < self.enough:
            return False
        self.counts[name] = count, self.now, self.now + WHITEEXP
        return True

    def passes(self, source: bytes, sender: bytes, recipient: bytes) -> bool:
        network = source.rpartition(b".")[0].decode()
        if self.white(network):
            return True
        name = network
        if sender.endswith(b"@spf.example") and source in (SOURCES[0], SOURCES[2]):
            name = "spf.example"
            if self.white(name):
                return True
        key = (name, sender, recipient)
        first, passed, until = self.tries.get(key, (0, False, 0))
        if self.now >= until:
            first, passed, until = self.now, False, self.now + GREYEXP
        if not passed and self.now - first < PASSTIME:
            self.tries[key] = first, False, until
            return False
        self.tries[key] = first, True, self.now + WHITEEXP
        if not passed:
            self.count(name)
        return True

    def count(self, name: str) -> None:
        count, last, until = self.counts.get(name, (0, 0, 0))
        if self.now >= until:
            count, last = 0, -HOUR
        again = self.now - last >= HOUR
        self.counts[name] = (count + again, self.now if again else last, self.now + WHITEEXP)


@settings(max_examples=60)
@given(enough=st.sampled_from([0, 1, 1, 2]), mails=st.lists(MAILS, min_size=1, max_size=14))
def test_who_has_to_wait(enough: int, mails: list[tuple[bytes, bytes, bytes, int]]) -> None:
    model = GreylistModel(enough)
    times = f"-passtime {PASSTIME} -greyexp {GREYEXP} -whiteexp {WHITEEXP}"
    around = Greylisted(f"{times} --auto-white {enough}", ZONE)
    for source, sender, recipient, seconds in mails:
        passes = around.passes(source=source, sender=sender, recipients=[recipient])
        assert passes is model.passes(source, sender, recipient)
        model.now += seconds
        around.wait(seconds)
