"""What lists say of a client: the logic that asks, without any DNS."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.lookup import Gather
from opensmtpd.mail.client import Client
from opensmtpd.mail.dnsbl.findings import (
    Asked,
    Listed,
    ListFinding,
    Unknown,
    ask,
    log_findings,
    questions,
)
from opensmtpd.mail.dnsbl.health import Health
from opensmtpd.mail.dnsbl.lists import List, Subject
from opensmtpd.mail.dnsbl.return_codes import mask

A = List("a.example", "a.example")
B = List("b.example", "b.example")
NAMES = List("n.example", "n.example", Subject.RDNS)


def client(address: str | None, name: str | None = None) -> Client:
    return Client(ip_address(address) if address else None, None, name, "fail")


CLIENT = client("192.0.2.5", "mail.example.org")


class Asking:
    """One who asks lists, and the rounds of questions that it took."""

    def __init__(self, records: Mapping[str, Reply], *lists: List) -> None:
        self.records = dict(records)
        self.lists = lists
        self.health = Health(lambda: 0.0)
        self.rounds: list[list[str]] = []

    def ask(self, whom: Client = CLIENT) -> Sequence[ListFinding]:
        lookup = ask(list(questions(self.lists, whom)), self.health)
        self.rounds = []
        try:
            asked = next(lookup)
            while True:
                assert not isinstance(asked, Gather)
                self.rounds.append([spelled(question) for question in asked])
                asked = lookup.send(
                    [self.records.get(spelled(question), Absent()) for question in asked]
                )
        except StopIteration as end:
            found: Sequence[ListFinding] = end.value
            return found


def spelled(question: Question) -> str:
    return question.name + ("" if question.kind is RecordType.A else f" {question.kind}")


def listed(each: List, *codes: str, who: str = "192.0.2.5", text: str = "") -> Listed:
    question = each.question(ip_address(who))
    assert question is not None
    return Listed(Asked(each, who, question), codes, text)


def test_all_lists_are_asked_in_one_round_with_what_they_may_not_list() -> None:
    asking = Asking({"5.2.0.192.a.example": Found(("127.0.0.2",))}, A, NAMES, B)
    assert asking.ask() == [listed(A, "127.0.0.2")]
    assert asking.rounds == [
        [
            "5.2.0.192.a.example",
            "mail.example.org.n.example",
            "5.2.0.192.b.example",
            "1.0.0.127.a.example",
            "invalid.n.example",
            "1.0.0.127.b.example",
        ]
    ]


def test_who_cannot_be_asked_for_is_not() -> None:
    asking = Asking({}, A, NAMES)
    assert asking.ask(client("192.0.2.5", None)) == []
    assert asking.rounds == [["5.2.0.192.a.example", "1.0.0.127.a.example"]]
    assert list(asking.ask(client(None, "not a name"))) == []
    assert asking.rounds == []


def test_one_zone_with_two_masks_is_asked_once() -> None:
    records = {"5.2.0.192.a.example": Found(("127.0.0.2", "127.0.0.10"))}
    two, ten = (A._replace(masks=(mask(f"127.0.0.{code}"),)) for code in (2, 10))
    four = A._replace(masks=(mask("127.0.0.4"),))
    asking = Asking(records, two, ten, four, A)
    assert asking.ask() == [
        listed(two, "127.0.0.2"),
        listed(ten, "127.0.0.10"),
        listed(A, "127.0.0.2", "127.0.0.10"),
    ]
    assert asking.rounds == [["5.2.0.192.a.example", "1.0.0.127.a.example"]]


def test_an_ipv6_address() -> None:
    name = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.a.example"
    asking = Asking({name: Found(("127.0.0.2",))}, A)
    found = asking.ask(client("2001:db8::1"))
    assert found == [listed(A, "127.0.0.2", who="2001:db8::1")]


def test_a_failure_is_no_absence() -> None:
    records = {"5.2.0.192.a.example": Failed("timeout")}
    assert Asking(records, A, B).ask() == [Unknown(A, "timeout")]


def test_a_list_of_everybody_lists_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    everybody = Found(("127.0.0.2",))
    asking = Asking({"5.2.0.192.a.example": everybody, "1.0.0.127.a.example": everybody}, A)
    assert [asking.ask(), asking.ask()] == [[], []]
    asking.records["1.0.0.127.a.example"] = Failed("timeout")
    assert asking.ask() == []  # what is known of it stays
    asking.records["1.0.0.127.a.example"] = Absent()
    assert asking.ask() == [listed(A, "127.0.0.2")]
    asking.records["1.0.0.127.a.example"] = Failed("timeout")
    assert asking.ask() == [listed(A, "127.0.0.2")]
    assert capfd.readouterr().err == (
        'list-not-believed list=a.example reason="it lists 127.0.0.1"\n'
        "list-believed list=a.example\n"
    )


@pytest.mark.parametrize("name", ["5.2.0.192.a.example", "1.0.0.127.a.example"])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("127.255.255.254", "it refuses us with 127.255.255.254"),
        ("203.0.113.80", "it answers with an address, 203.0.113.80"),
    ],
)
def test_a_list_that_is_none_is_switched_off(
    name: str, code: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    asking = Asking({name: Found(("127.0.0.2", code))}, A, B)
    assert asking.ask() == []
    assert asking.ask() == []
    assert asking.rounds == [["5.2.0.192.b.example", "1.0.0.127.b.example"]]
    assert capfd.readouterr().err == f'list-off list=a.example reason="{reason}" seconds=3600\n'


def test_a_list_that_fails_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    asking = Asking({}, A, B)
    for host in range(1, 6):
        asking.records[f"{host}.2.0.192.a.example"] = Failed("timeout")
        assert asking.ask(client(f"192.0.2.{host}")) == [Unknown(A, "timeout")]
    assert asking.ask() == []
    assert asking.rounds == [["5.2.0.192.b.example", "1.0.0.127.b.example"]]
    assert capfd.readouterr().err == "list-left-out list=a.example reason=timeout failures=5\n"


@pytest.mark.parametrize("sparing", [B._replace(allow=True), B._replace(score=-2)])
def test_a_list_that_speaks_for_a_client_is_missed_while_it_is_out(sparing: List) -> None:
    """Else those whom it lists would be refused as soon as it is left out."""
    asking = Asking({}, A, sparing)
    for number in range(5):
        who = client(f"192.0.2.{number}", None)
        asking.records[f"{number}.2.0.192.b.example"] = Failed("timeout")
        assert asking.ask(who) == [Unknown(sparing, "timeout")]
    assert asking.ask() == [Unknown(sparing, "it is left out for now")]
    assert asking.rounds == [["5.2.0.192.a.example", "1.0.0.127.a.example"]]


@pytest.mark.parametrize("code", ["127.255.255.254", "127.0.0.255"])
def test_a_list_that_spares_and_refuses_us_is_missed(code: str) -> None:
    sparing = A._replace(allow=True)
    asking = Asking({"5.2.0.192.a.example": Found((code,))}, sparing)
    assert asking.ask() == [Unknown(sparing, f"it refuses us with {code}")]
    assert asking.ask() == [Unknown(sparing, "it is left out for now")]
    assert asking.rounds == []


def test_127_0_0_255_refuses_only_for_lists_that_spare() -> None:
    asking = Asking({"5.2.0.192.a.example": Found(("127.0.0.255",))}, A)
    assert asking.ask() == [listed(A, "127.0.0.255")]


def test_what_was_under_way_does_not_bring_a_list_back(capfd: pytest.CaptureFixture[str]) -> None:
    asking = Asking({}, A)
    first, second = (ask(list(questions([A], CLIENT)), asking.health) for _ in range(2))
    next(first)
    next(second)
    with pytest.raises(StopIteration):
        first.send([Found(("127.255.255.254",)), Absent()])
    with pytest.raises(StopIteration):
        second.send([Absent(), Absent()])
    assert asking.ask() == []
    assert asking.rounds == []
    assert capfd.readouterr().err.count("\n") == 1


def test_a_failure_of_our_own_is_none_of_the_list() -> None:
    asking = Asking({}, A)
    for number in range(20):
        who = client(f"192.0.2.{number}", None)
        asking.records[f"{number}.2.0.192.a.example"] = Failed("too many questions", ours=True)
        assert asking.ask(who) == [Unknown(A, "too many questions")]


def test_the_text_is_asked_for_where_it_is_wanted_and_somebody_is_listed() -> None:
    wants = B._replace(text="See {txt}")
    asking = Asking({"5.2.0.192.a.example": Found(("127.0.0.2",))}, A, wants)
    assert asking.ask() == [listed(A, "127.0.0.2")]
    assert len(asking.rounds) == 1
    asking.records["5.2.0.192.b.example"] = Found(("127.0.0.3",))
    asking.records["5.2.0.192.b.example TXT"] = Found(("http://b.example/?5", "more"))
    assert asking.ask() == [
        listed(A, "127.0.0.2"),
        listed(wants, "127.0.0.3", text="http://b.example/?5"),
    ]
    assert asking.rounds[1:] == [["5.2.0.192.b.example TXT"]]


@pytest.mark.parametrize("reply", [Absent(), Failed("timeout")])
def test_a_text_that_is_not_there_is_missed_by_nobody(reply: Reply) -> None:
    wants = A._replace(text="See {txt}")
    found, text = Found(("127.0.0.2",)), "5.2.0.192.a.example TXT"
    asking = Asking({"5.2.0.192.a.example": found, text: reply}, wants)
    assert asking.ask() == [listed(wants, "127.0.0.2")]


def test_words_for_people() -> None:
    finding = listed(A, "127.0.0.2", "127.0.0.10", text="see www")
    assert finding.words == "192.0.2.5 is listed at a.example (127.0.0.2, 127.0.0.10)"
    assert finding.fields == {
        "list": "a.example",
        "code": "127.0.0.2, 127.0.0.10",
        "txt": "see www",
    }
    assert Unknown(A, "timeout").words == "a.example could not be asked: timeout"


def test_each_answer_can_be_logged(capfd: pytest.CaptureFixture[str]) -> None:
    both = [*questions([A, NAMES], CLIENT)]
    log_findings("1718c5e591926d28", both, [listed(A._replace(score=-2), "127.0.0.2", "127.0.0.3")])
    log_findings("1718c5e591926d28", both, [Unknown(A, "timeout")])
    log_findings("1718c5e591926d28", both, [])
    log_findings("1718c5e591926d28", [], [])
    assert capfd.readouterr().err.splitlines() == [
        "1718c5e591926d28 listed list=a.example who=192.0.2.5 code=127.0.0.2,127.0.0.3 score=-2",
        "1718c5e591926d28 not-listed who=192.0.2.5,mail.example.org lists=a.example,n.example",
    ]
