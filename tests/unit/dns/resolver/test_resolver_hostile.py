"""What hostile zones and broken name servers say gets nowhere."""

import pytest

from lab.peers.nameserver import Records, garbage
from opensmtpd.dns import Absent, Found, Question, RecordType, Reply
from unit.support.dns_lab import MX, PTR, TXT, A, Lab

LONG = ".".join(["x" * 63] * 3 + ["x" * 61])
HOSTILE: Records = {
    ("pipes.example", "PTR"): [r"a\124b.example.", r"a\010b.example.", r"a\000b.example."],
    ("spaces.example", "PTR"): [r"a\032b.example.", r"\195\188.example.", r"a\.b.example."],
    ("mixed.example", "PTR"): [r"a\124b.example.", "good.example."],
    ("root.example", "PTR"): ["."],
    ("long.example", "PTR"): [f"{LONG}."],
    ("many.example", "PTR"): [f"n{number}.example." for number in range(1000)],
    ("big.example", "TXT"): [" ".join([f'"{"x" * 255}"'] * 240)],
    ("texts.example", "TXT"): [f'"{number}"' for number in range(3000)],
    ("cuts.example", "TXT"): [
        '"v=spf1 " "-all"',
        '"v=spf1" " -all"',
        '"v=spf1 -all"',
        '"" ""',
        '""',
    ],
    ("loop.example", "CNAME"): ["loop2.example."],
    ("loop2.example", "CNAME"): ["loop.example."],
    ("none.example", "MX"): ["0 ."],
    ("empty.example", "A"): garbage(b""),
    ("noise.example", "A"): garbage(bytes(range(256)) * 2),
    ("counts.example", "A"): garbage(b"\x81\x80" + b"\xff" * 300),
}


@pytest.mark.parametrize(
    ("name", "kind", "reply"),
    [
        ("pipes.example", PTR, Absent()),
        ("spaces.example", PTR, Absent()),
        ("mixed.example", PTR, Found(("good.example",))),
        ("root.example", PTR, Absent()),
        ("long.example", PTR, Found((LONG,))),
        ("none.example", MX, Absent()),
    ],
)
def test_names_that_are_none(lab: Lab, name: str, kind: RecordType, reply: Reply) -> None:
    lab.server.records = HOSTILE
    assert lab.one(name, kind) == reply


def test_a_thousand_names(lab: Lab) -> None:
    lab.server.records = HOSTILE
    reply = lab.one("many.example", PTR)
    assert isinstance(reply, Found)
    assert reply.records == tuple(f"n{number}.example" for number in range(100))
    assert lab.resolver.known([Question("many.example", PTR)]) == [reply]


def test_a_large_text(lab: Lab) -> None:
    lab.server.records = HOSTILE
    reply = Found(("x" * 255 * 240,))
    assert lab.one("big.example", TXT) == reply
    assert lab.resolver.known([Question("big.example", TXT)]) == [reply]


def test_three_thousand_texts(lab: Lab) -> None:
    """The last may be the second SPF record."""
    lab.server.records = HOSTILE
    reply = Found(tuple(map(str, range(3000))))
    assert lab.one("texts.example", TXT) == reply
    assert lab.resolver.known([Question("texts.example", TXT)]) == [reply]


def test_texts_that_are_cut_in_other_places_are_other_records(lab: Lab) -> None:
    lab.server.records = HOSTILE
    assert lab.one("cuts.example", TXT) == Found(("v=spf1 -all",) * 3 + ("", ""))


@pytest.mark.parametrize("name", ["loop.example", "empty.example", "noise.example",
                                  "counts.example"])  # fmt: skip
def test_nonsense(lab: Lab, name: str) -> None:
    """It neither ends nor stalls anybody, and is no answer."""
    lab.server.records = HOSTILE

    async def job() -> list[Reply]:
        return await lab.ask(Question(name, A), Question("none.example", MX), within=1.0)

    first, second = lab.run(job)
    assert not isinstance(first, Found)
    assert second == Absent()
