"""Any message, any edits: what goes out is what a list of lines becomes by the same edits."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.message import Message
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.filter import EditedMessage, Field
from unit.support.lone_message import message, sent

LINES = st.one_of(
    st.sampled_from(
        [b"A: 1", b"B : 2", b"a:x", b" more", b"\t", b"junk", b".C: 3", b". dot", b".", b"", b":"]
    ),
    st.binary(max_size=6).map(lambda raw: raw.replace(b"\n", b"").replace(b"\0", b"")),
)
MESSAGES = st.tuples(
    st.lists(LINES.filter(bool), max_size=8),
    st.one_of(st.none(), st.lists(LINES, max_size=6)),
)
"""The lines of the header; the lines of the body, None where there is no blank line either."""
NAMES = st.sampled_from([b"A", b"b", b".C", b"X-New"])
VALUES = st.lists(st.sampled_from([b" x", b"\t.", b" ", b"  y z"]), max_size=3)
BODIES = st.lists(LINES, max_size=3)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.integers(0, 9), NAMES, VALUES),
        st.tuples(st.just("prepend"), NAMES, VALUES),
        st.tuples(st.just("append"), NAMES, VALUES),
        st.tuples(st.just("replace"), st.integers(0, 9), VALUES),
        st.tuples(st.just("remove"), st.integers(0, 9)),
        st.tuples(st.just("append_body"), BODIES),
        st.tuples(st.just("replace_body"), BODIES),
    ),
    max_size=6,
)


class Model:
    """A message as two lists: groups of header lines, and body lines."""

    def __init__(self, header: list[bytes], body: list[bytes] | None) -> None:
        self.blank = body is not None
        self.body = body or []
        self.groups: list[list[bytes]] = []
        for line in header:
            if self.groups and line[:1] in (b" ", b"\t"):
                self.groups[-1].append(line)
            else:
                self.groups.append([line])

    def fields(self) -> list[int]:
        """Return the indices of the groups that are fields."""
        return [at for at, group in enumerate(self.groups) if self.name(group)]

    @staticmethod
    def name(group: list[bytes]) -> bytes:
        name, colon, _ = group[0].partition(b":")
        if name[:1] in (b" ", b"\t"):
            return b""
        name = name.rstrip(b" \t")
        return name if colon and name and all(33 <= byte <= 126 for byte in name) else b""

    def top(self) -> int:
        return 1 if self.groups and self.groups[0][0][:1] in (b" ", b"\t") else 0

    def insert(self, at: int, name: bytes, value: list[bytes]) -> None:
        fields = self.fields()
        where = self.top() if at == 0 else (fields[at] if at < len(fields) else len(self.groups))
        self.groups.insert(where, field(name, value))

    def prepend(self, name: bytes, value: list[bytes]) -> None:
        self.groups.insert(self.top(), field(name, value))

    def append(self, name: bytes, value: list[bytes]) -> None:
        self.groups.append(field(name, value))

    def replace(self, at: int, value: list[bytes]) -> None:
        where = self.fields()[at]
        self.groups[where] = field(self.name(self.groups[where]), value)

    def remove(self, at: int) -> None:
        del self.groups[self.fields()[at]]

    def append_body(self, lines: list[bytes]) -> None:
        self.body = [*self.body, *lines]

    def replace_body(self, lines: list[bytes]) -> None:
        self.body = lines

    def lines(self) -> list[bytes]:
        header = [line for group in self.groups for line in group]
        return [*header, *([b""] if self.blank or self.body else []), *self.body]


def field(name: bytes, value: list[bytes]) -> list[bytes]:
    first, *rest = value or [b""]
    return [name + b":" + first, *rest]


def possible(model: Model, edits: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Make the edits to the model; return those that there are fields for."""
    made = []
    for name, *arguments in edits:
        if name in ("replace", "remove"):
            if not model.fields():
                continue
            arguments[0] %= len(model.fields())
        getattr(model, name)(*arguments)
        made.append((name, *arguments))
    return made


class Edit(EditedMessage):
    """Makes edits, and looks at the fields between them."""

    def __init__(self, edits: list[tuple[Any, ...]]) -> None:
        self.edits = edits

    def end(self) -> None:
        for name, *arguments in self.edits:
            before: tuple[Field, ...] = self.fields
            if name in ("replace", "remove"):
                arguments[0] = before[arguments[0]]
            act: Callable[..., object] = getattr(self, name)
            act(*arguments)


def stuffed(lines: list[bytes]) -> list[bytes]:
    return [b"." + line if line.startswith(b".") else line for line in lines]


def receive(m: Message, lines: list[bytes], cuts: set[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(lines)), len(lines)]
    for start, end in pairwise(places):
        if start < end:
            m.receive(lines[start:end])


@settings(max_examples=500)
@given(MESSAGES, EDITS, st.sets(st.integers(0, 15)), st.sampled_from([0, 20, 1 << 24]))
def test_edits_are_those_of_the_model(
    parts: tuple[list[bytes], list[bytes] | None],
    edits: list[tuple[Any, ...]],
    cuts: set[int],
    memory: int,
) -> None:
    header, body = parts
    lines = stuffed([*header, *([] if body is None else [b"", *body])])
    model = Model(header, body)
    handler = Edit(possible(model, edits))
    budget = Budget(memory, memory)
    m = message(handler, budget)
    receive(m, lines, cuts)
    m.close_input(m.end())
    assert sent(m) == [*stuffed(model.lines()), b"."]
    assert (budget.used, budget.reserved) == (0, 0)


@given(MESSAGES, st.sets(st.integers(0, 15)), st.sampled_from([0, 20, 1 << 24]), st.booleans())
def test_what_is_not_edited_is_untouched(
    parts: tuple[list[bytes], list[bytes] | None], cuts: set[int], memory: int, stuff: bool
) -> None:
    """Lines whose dots a client forgot to double leave as they came, too."""

    class Read(EditedMessage):
        def end(self) -> None:
            assert all(each.name and each.raw for each in self.fields)

    header, body = parts
    lines = [*header, *([] if body is None else [b"", *body])]
    lines = stuffed(lines) if stuff else [line for line in lines if line != b"."]
    m = message(Read(), Budget(memory, memory))
    receive(m, lines, cuts)
    m.close_input(m.end())
    assert sent(m) == [*lines, b"."]


def can_be_written(field: Field) -> bool:
    """Return whether the form of a new field is that of this one."""
    value = field.raw.removeprefix(field.name + b":")
    return b"\r" not in value and value != field.raw and value[:1] in (b"", b" ", b"\t", b"\n")


@given(MESSAGES)
def test_fields_replaced_by_their_own_lines_are_as_they_came(
    parts: tuple[list[bytes], list[bytes] | None],
) -> None:
    class Again(EditedMessage):
        def end(self) -> None:
            for each in filter(can_be_written, self.fields):
                self.replace(each, each.lines)

    header, body = parts
    lines = stuffed([*header, *([] if body is None else [b"", *body])])
    m = message(Again(), Budget())
    receive(m, lines, set())
    m.close_input(m.end())
    assert sent(m) == [*lines, b"."]


def test_a_large_message_is_edited_in_its_file() -> None:
    header = [b"X-%d: %d" % (number, number) for number in range(500)]
    body = [b"." * (number % 70) for number in range(200_000)]
    lines = stuffed([*header, b"", *body])
    model = Model(header, body)
    edits = possible(
        model,
        [("remove", 499), ("replace", 250, [b" x", b" y"]), ("prepend", b"N", [b" n"]),
         ("append_body", [b".", b"end"])],
    )  # fmt: skip
    m = message(Edit(edits), Budget())
    for at in range(0, len(lines), 1000):
        m.receive(lines[at : at + 1000])
    assert m._spool._file is not None
    m.close_input(m.end())
    out = b""
    while m.wants_to_send():
        out += m.take(100_000)
    assert out.replace(m.prefix, b"") == b"".join(
        line + b"\n" for line in [*stuffed(model.lines()), b"."]
    )
