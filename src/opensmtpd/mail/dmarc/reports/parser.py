"""Read an aggregate report of somebody else: RFC 9990, RFC 7489, and the drafts before it.

The XML is a stranger's. Document types, and so entities, are refused; elements that are not known
are skipped; depth, rows, lists and texts are bounded. expat reads it: nothing is kept of a document
but what stands in ``ReadReport``.
"""

from collections import defaultdict
from collections.abc import Sized
from typing import NamedTuple, NoReturn
from xml.parsers import expat

from opensmtpd.errors import RemoteError
from opensmtpd.mail.dmarc.reports.record import (
    COMMENT_MAX,
    REASONS_MAX,
    SIGNATURES_MAX,
    MessageResults,
    OverrideReason,
    SignatureOutcome,
    SpfOutcome,
    harmless,
)

ROWS_MAX = 100_000
DEPTH_MAX = 32
TEXT_MAX = 1000
"""Characters of an element's text that are kept."""
WORD_MAX = 20
"""Characters of a result, ``"temperror"`` say, or the value of a tag."""
TIME_MAX = 1 << 33
"""Seconds since 1970: the year 2242."""

ELEMENTS_MAX = 3_000_000
NAMES_MAX = 1000
"""Different names of elements and attributes: expat keeps them to the end."""
TAG_MAX = 1 << 15
"""Bytes without the end of a tag; no tag may be twice as long."""

_TAGS = ("discovery_method", "p", "sp", "np", "fo", "adkim", "aspf", "testing", "pct")
_META, _PUBLISHED = "report_metadata/", "policy_published/"
_HEAD = frozenset(
    [
        *(f"{_META}{name}" for name in ("org_name", "email", "report_id")),
        *(f"{_META}date_range/{name}" for name in ("begin", "end")),
        *(f"{_PUBLISHED}{name}" for name in ("domain", *_TAGS)),
    ]
)
"""Paths of elements with texts, below the root."""
_RECORD = frozenset(
    [
        *(f"record/row/{name}" for name in ("source_ip", "count")),
        *(f"record/row/policy_evaluated/{name}" for name in ("disposition", "dkim", "spf")),
        *(f"record/identifiers/{name}" for name in ("header_from", "envelope_from")),
        "record/identifiers/envelope_to",
    ]
)
"""The same for those of a record."""
_REASON = "record/row/policy_evaluated/reason"
_DKIM, _SPF = "record/auth_results/dkim", "record/auth_results/spf"
_LISTS = {_REASON: REASONS_MAX, _DKIM: SIGNATURES_MAX, _SPF: 10}
"""Elements that may occur more than once in a record, and how many of them are kept."""
_ITEM = frozenset(["type", "comment", "domain", "selector", "scope", "result"])
"""Elements in those."""


class ReadReport(NamedTuple):
    """A report. Texts are printable, but not all in ASCII; they are strangers' nevertheless."""

    organization: str
    email: str
    id: str
    begin: int
    """Seconds since 1970, UTC."""
    end: int
    domain: str
    """The policy domain."""
    policy: dict[str, str]
    """The other tags of the published policy, by the names of their elements."""
    rows: list[tuple[int, MessageResults]]
    """Results, and the number of messages that have them. A result that is not told is ``""``."""


def parse(data: bytes) -> ReadReport:
    """Return the report in an XML document. Raises RemoteError with a reason of one line."""
    last = len(data) - TAG_MAX
    if any(data.find(b">", at, at + TAG_MAX) < 0 for at in range(0, last, TAG_MAX)):
        raise RemoteError("a tag or a text that is too long")
    parser = expat.ParserCreate(namespace_separator="}")
    reading = _Reading(parser.intern)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reading.doctype
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = f"no XML: {expat.ErrorString(error.code)} in line {error.lineno}"
        raise RemoteError(reason) from None
    except (LookupError, ValueError):  # of the encoding that it names
        raise RemoteError("XML in an encoding that is not known") from None
    return reading.report()


class _Reading:
    """The elements of a document, as they begin and end."""

    def __init__(self, names: Sized) -> None:
        """Take the names that the parser keeps."""
        self._names = names
        self._elements = 0
        self._space = ""
        """The namespace of the root, as it stands in front of names."""
        self._path: list[str] = []
        self._texts: list[str] = []
        self._size = 0
        self._head: dict[str, str] = {}
        self._record: dict[str, str] = {}
        self._item: dict[str, str] = {}
        """The last one of a list."""
        self._lists: dict[str, list[dict[str, str]]] = defaultdict(list)
        self._rows: list[tuple[int, MessageResults]] = []

    def doctype(self, *_: object) -> NoReturn:
        raise RemoteError("a document type, which no report has")

    def start(self, name: str, _attributes: object) -> None:
        self._elements += 1
        if self._elements > ELEMENTS_MAX or len(self._names) > NAMES_MAX:
            raise RemoteError("more elements than a report has")
        if len(self._path) == DEPTH_MAX:
            raise RemoteError(f"elements deeper than {DEPTH_MAX}")
        if not self._path:
            self._space, mark, name = name.rpartition("}")
            self._space += mark
            if name != "feedback":
                raise RemoteError(f"no report: its root is {harmless(name, WORD_MAX)}")
        self._path.append(name.removeprefix(self._space))  # an extension's stay, and are not known
        self._texts, self._size = [], 0
        path = "/".join(self._path[1:])
        if path in _LISTS:
            self._item = {}
            if len(self._lists[path]) < _LISTS[path]:
                self._lists[path].append(self._item)

    def text(self, text: str) -> None:
        if self._size < TEXT_MAX:
            self._texts.append(text[: TEXT_MAX - self._size])
            self._size += len(text)

    def end(self, _name: str) -> None:
        path = "/".join(self._path[1:])
        parent, _, name = path.rpartition("/")
        text = "".join(self._texts).strip()
        self._path.pop()
        self._texts, self._size = [], 0
        if path == "record":
            self._end_record()
        elif path in _RECORD:
            self._record.setdefault(name, text)
        elif path in _HEAD:
            self._head.setdefault(path, text)
        elif parent in _LISTS and name in _ITEM:
            self._item.setdefault(name, text)

    def _end_record(self) -> None:
        if len(self._rows) == ROWS_MAX:
            raise RemoteError(f"more than {ROWS_MAX:,} rows")
        take, lists = self._record.get, self._lists
        results = MessageResults(
            harmless(take("source_ip", "")),
            _word(take("disposition", "")),
            _word(take("dkim", "")),
            _word(take("spf", "")),
            _domain(take("header_from", "")),
            _domain(take("envelope_from", "")),
            _domain(take("envelope_to", "")),
            tuple(map(_reason, lists[_REASON])),
            tuple(map(_signature, lists[_DKIM])),
            tuple(map(_spf, lists[_SPF])),
        )
        self._rows.append((_number(take("count", ""), 1 << 40, "count"), results))
        self._record, self._lists = {}, defaultdict(list)

    def report(self) -> ReadReport:
        """Return what was read, at the end of the document."""
        head = self._head
        return ReadReport(
            _printable(head.get(f"{_META}org_name", "")),
            _printable(head.get(f"{_META}email", "")),
            _printable(head.get(f"{_META}report_id", "")),
            _number(head.get(f"{_META}date_range/begin", ""), TIME_MAX, "begin"),
            _number(head.get(f"{_META}date_range/end", ""), TIME_MAX, "end"),
            _domain(head.get(f"{_PUBLISHED}domain", "")),
            {tag: _word(text) for tag in _TAGS if (text := head.get(f"{_PUBLISHED}{tag}"))},
            self._rows,
        )


def _reason(item: dict[str, str]) -> OverrideReason:
    comment = _printable(item.get("comment", ""), COMMENT_MAX)
    return OverrideReason(_word(item.get("type", "")), comment)


def _signature(item: dict[str, str]) -> SignatureOutcome:
    selector = harmless(item.get("selector", ""))
    return SignatureOutcome(
        _domain(item.get("domain", "")), selector, _word(item.get("result", ""))
    )


def _spf(item: dict[str, str]) -> SpfOutcome:
    result = _word(item.get("result", ""))
    return SpfOutcome(_domain(item.get("domain", "")), result, _word(item.get("scope", "mfrom")))


def _domain(text: str) -> str:
    return harmless(text).lower()


def _word(text: str) -> str:
    return harmless(text, WORD_MAX).lower()


def _printable(text: str, limit: int = TEXT_MAX) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:limit])


def _number(text: str, most: int, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise RemoteError(f"{name} is no number: {harmless(text, WORD_MAX)!r}")
    return int(text)
