"""A header under the hands of milters, with the indices of Sendmail and Postfix."""

import pytest

from opensmtpd.filter import EditedMessage
from opensmtpd.mail.milter.header import HeaderEdits, MilterHeader, perform
from unit.support.lone_message import message, sent

A, B, C, D = ((b"X", b" 1"), (b"Y", b" 2"), (b"x", b" 3"), (b"X", b" 4"))
NEW = (b"N", b" new")


def header(own: int = 1) -> MilterHeader:
    return MilterHeader([A, B, C, D], own)


@pytest.mark.parametrize(
    ("own", "index", "before"),
    [
        *((0, 0, 0), (0, 1, 1), (0, 4, 4), (0, 5, 4), (0, 2147483647, 4)),
        *((1, 0, 0), (1, 1, 0), (1, 2, 1), (1, 5, 4), (1, 6, 4)),
        *((2, 0, 0), (2, 2, 0), (2, 3, 1)),
    ],
)
def test_insertions(own: int, index: int, before: int) -> None:
    changed = header(own)
    changed.insert(index, *NEW)
    assert changed.edits() == HeaderEdits([], [], [(before, *NEW)])
    expected = [A, B, C, D]
    expected.insert(before, NEW)
    assert changed.fields() == expected


def test_several_insertions_and_additions() -> None:
    changed = header()
    for index, name in [(0, b"a"), (0, b"b"), (3, b"c"), (99, b"d"), (1, b"e")]:
        changed.insert(index, name, b"")
    changed.add(b"f", b"")
    assert [name for name, _ in changed.fields()] == [
        *(b"b", b"e", b"a", b"c", b"X", b"Y", b"x", b"X", b"d", b"f")
    ]
    assert changed.edits().inserted == [
        *((0, b"b", b""), (0, b"e", b""), (0, b"a", b""), (0, b"c", b"")),
        *((4, b"d", b""), (4, b"f", b"")),
    ]


def test_an_empty_header() -> None:
    changed = MilterHeader([])
    changed.change(1, b"X", None)
    changed.change(3, b"X", b" 1")
    changed.insert(0, b"Y", b" 2")
    assert changed.fields() == [(b"Y", b" 2"), (b"X", b" 1")]
    assert changed.edits() == HeaderEdits([], [], [(0, b"Y", b" 2"), (0, b"X", b" 1")])


@pytest.mark.parametrize(
    ("index", "name", "edits"),
    [
        (1, b"x", HeaderEdits([], [(0, b" v")], [])),
        (2, b"X", HeaderEdits([], [(2, b" v")], [])),
        (3, b"X", HeaderEdits([], [(3, b" v")], [])),
        (1, b"Y", HeaderEdits([], [(1, b" v")], [])),
        (2, b"Y", HeaderEdits([], [], [(4, b"Y", b" v")])),
        (4, b"X", HeaderEdits([], [], [(4, b"X", b" v")])),
        (2147483647, b"Z", HeaderEdits([], [], [(4, b"Z", b" v")])),
    ],
)
def test_changes(index: int, name: bytes, edits: HeaderEdits) -> None:
    changed = header()
    changed.change(index, name, b" v")
    assert changed.edits() == edits


@pytest.mark.parametrize(
    ("indices", "removed"),
    [
        ([1], [0]),
        ([3], [3]),
        ([4], []),
        ([1, 2, 3], [0, 2, 3]),  # as for Sendmail
        ([1, 1, 1], [0, 2, 3]),  # as for Postfix
        ([1, 1, 1, 1], [0, 2, 3]),
        ([3, 2, 1], [0, 2, 3]),  # Debian's OpenDKIM: right for both
        ([2, 2], [2, 3]),  # as for Postfix
        ([2, 3], [2, 3]),  # as for Sendmail
        ([1, 3], [0, 3]),  # Sendmail's count
    ],
)
def test_removals_in_any_order(indices: list[int], removed: list[int]) -> None:
    changed = header()
    for index in indices:
        changed.change(index, b"X", None)
    assert changed.edits() == HeaderEdits(removed, [], [])
    kept = [field for at, field in enumerate([A, B, C, D]) if at not in removed]
    assert changed.fields() == kept


def test_a_change_of_what_was_removed() -> None:
    changed = header()
    changed.change(1, b"X", None)
    changed.change(1, b"X", b" next")
    changed.change(1, b"Y", None)
    changed.change(1, b"Y", b" new")
    assert changed.fields() == [(b"x", b" next"), D, (b"Y", b" new")]
    assert changed.edits() == HeaderEdits([0, 1], [(2, b" next")], [(4, b"Y", b" new")])


def test_own_additions_are_counted() -> None:
    changed = header()
    changed.change(1, b"X", b" first")
    changed.insert(0, b"X", b" top")
    changed.add(b"X", b" end")
    changed.change(1, b"X", b" top 2")
    changed.change(2, b"X", b" first 2")
    changed.change(5, b"X", b" end 2")
    changed.change(6, b"X", b" more")
    assert changed.edits() == HeaderEdits(
        [], [(0, b" first 2")], [(0, b"X", b" top 2"), (4, b"X", b" end 2"), (4, b"X", b" more")]
    )
    for _ in range(6):
        changed.change(1, b"X", None)
    assert changed.edits() == HeaderEdits([0, 2, 3], [], [])


def test_an_index_of_insertion_counts_what_is_there() -> None:
    changed = header(own=0)
    changed.change(1, b"X", None)
    changed.insert(1, *NEW)
    assert changed.fields() == [B, NEW, C, D]


def test_the_next_milter_counts_anew() -> None:
    changed = header()
    changed.change(1, b"X", None)
    changed.insert(0, *NEW)
    assert changed.fields() == [NEW, B, C, D]
    changed.change(1, b"X", b" changed")
    changed.change(1, b"N", None)
    assert changed.fields() == [B, (b"x", b" changed"), D]
    assert changed.edits() == HeaderEdits([0], [(2, b" changed")], [])


@pytest.mark.parametrize("same", [True, False])
def test_many_removals(same: bool) -> None:
    """A client may send any number of fields that a milter removes, one by one."""
    names = [b"X" if same else b"X-%d" % number for number in range(50_000)]
    changed = MilterHeader([(name, b"") for name in names])
    for name in names:
        changed.change(1, name, None)
    assert changed.fields() == []


class Performs(EditedMessage):
    def __init__(self, edits: HeaderEdits) -> None:
        self.edits = edits

    def end(self) -> None:
        perform(self, self.edits, 2)


def test_performed_on_a_message() -> None:
    """The fields on top are smtpd's own; a line that is no field is none for milters, either."""
    changed = header()
    changed.change(2, b"X", None)
    changed.change(1, b"Y", b" two\n\tfolds")
    changed.insert(0, b"Top", b" 1")
    changed.insert(3, b"Middle", b" 2")
    changed.add(b"End", b" 3")
    m = message(Performs(changed.edits()))
    m.receive([b"X-Spam: Yes", b"Received: by us", b"X: 1", b"junk", b"Y: 2", b"x: 3", b"X: 4"])
    m.receive([b"", b"body"])
    m.close_input(m.end())
    assert sent(m) == [
        *(b"X-Spam: Yes", b"Received: by us", b"Top: 1", b"X: 1", b"junk", b"Middle: 2"),
        *(b"Y: two", b"\tfolds", b"X: 4", b"End: 3", b"", b"body", b"."),
    ]
