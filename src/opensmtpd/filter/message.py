"""The kinds of message handlers: what a filter returns from ``on_message``."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from opensmtpd._methods import check_call, check_plain, fits, own_names
from opensmtpd.answer import Answer
from opensmtpd.errors import LocalError, nearest
from opensmtpd.filter.edits import Edits
from opensmtpd.filter.field import Field, Value

Front: TypeAlias = Sequence[bytes]
"""Header lines without line ends."""

_METHODS = ("header", "body", "end")


def _check(cls: type, base: type, *plain: str) -> None:
    """Raise LocalError for a class of handlers that cannot work.

    ``plain`` are the methods that are never awaited.
    """
    check_call(cls, base, _METHODS)
    check_plain(cls, *plain)
    names = own_names(cls, base)
    own = [name for name in names if name[0] != "_" and not hasattr(base, name)]
    for name in _METHODS if own and names.isdisjoint(_METHODS) else ():
        near = nearest(name, [each for each in own if _may_be(cls, each, base, name)])
        if near is not None:
            raise LocalError(
                f"{cls.__name__}.{near}: it is never called, and neither header, body nor end is"
                f" overridden; did you mean {name}?"
            )


def _may_be(cls: type, own: str, base: type, name: str) -> bool:
    """Return whether an author's method may be one of ours, misspelt."""
    return callable(getattr(cls, own)) and fits(cls, own, base, name)


class HeldMessage:
    """A handler that sees a message while it is held, then may put header lines in front of it.

    Lines are bytes without line ends, dot-stuffing undone; folded fields come as several lines.

    A class of handlers, of this kind and of the others, raises LocalError when it is made where
    ``header``, ``body`` or ``end`` cannot be called, because it takes other arguments than here;
    where one is ``async def`` that is never awaited; and where none is overridden, but another
    method has nearly the name of one.
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        _check(cls, HeldMessage, "header", "body")

    def header(self, lines: list[bytes]) -> None:
        """See a run of header lines; called as often as they arrive."""

    def body(self, lines: list[bytes]) -> None:
        """See a run of body lines; never called for a message without a body."""

    def end(self) -> Answer[Front]:
        """Return the header lines to put in front. The message follows, untouched."""
        return ()


class HeldLines(Protocol):
    """The lines of a message that is held, as the core keeps them.

    Bytes are counted as smtpd sends them, with dot-stuffing.
    """

    @property
    def come(self) -> int:
        """The bytes that have come."""

    def look(self, at: int, size: int) -> tuple[int, bytes]:
        """Return about ``size`` bytes from byte ``at`` on, and before them the place behind.

        They are whole lines without dot-stuffing. Raises SpoolError.
        """


class MessageReader:
    """A place in a message that is held: what stands behind it is read next.

    ``read`` gives the message as it came, whatever ``end`` has edited since.
    """

    def __init__(self, message: "EditedMessage") -> None:
        self._message = message
        self._at = 0

    @property
    def left(self) -> int:
        """The bytes that have come, and are not read yet, as smtpd sent them: dots are doubled."""
        return self._lines().come - self._at

    def read(self, size: int) -> bytes:
        """Return about ``size`` bytes: whole lines, each with its line feed, dot-stuffing undone.

        Returns ``b""`` where no more has come; in ``end``, all has. A longer line comes whole.
        Raises SpoolError where a disk does not give back what was kept.
        """
        self._at, block = self._lines().look(self._at, size)
        return block

    def _lines(self) -> HeldLines:
        if self._message._held is None:
            raise LocalError("a message can be read while it is held only")
        return self._message._held


class EditedMessage:
    """A handler that sees a message while it is held, then may edit it.

    ``header`` and ``body`` see runs of lines as those of HeldMessage do; for a header that is to be
    read field by field they need not be overridden. ``end`` reads ``fields`` and makes the edits,
    each of which is seen by the next::

        class Clean(EditedMessage):
            def end(self) -> None:
                for field in self.named(b"Authentication-Results"):
                    self.remove(field)
                self.prepend(b"Authentication-Results", b"mx.example.org; none")

    All that is not edited goes on byte for byte. The edits take effect together, when ``end``, its
    coroutine or its Offload has returned: a handler that raises, or is late, changes nothing. Every
    message needs an object of its own.

    Fields and edits are there in ``end`` only, in its coroutine, its Offload, and what its Deferred
    waits for, too; elsewhere they raise LocalError. A header takes twice its bytes of memory, and
    512 for each of its lines. One that takes more than 4 MiB is refused with 550; all in ``end`` at
    the same time may take 32 MiB, and messages beyond that are refused with 451. ``--on-failure
    pass`` lets neither pass. Where ``end`` returns a Deferred, the header takes memory from the
    first look at it on, so that a message that only waits takes none.

    A handler that hands the whole message to others keeps no lines: ``reader`` gives it back as
    often as it is wanted, from memory or from the file where a large one is kept.
    """

    _load: Callable[[], Edits] | None = None
    """The function that returns the edits, while there may be any. The core puts it there."""
    _taken = False
    """True from the first message on. The core sets it."""
    _held: HeldLines | None = None
    """The lines of the message, while it is held. The core puts them there."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        _check(cls, EditedMessage, "header", "body")

    def header(self, lines: list[bytes]) -> None:
        """See a run of header lines; called as often as they arrive."""

    def body(self, lines: list[bytes]) -> None:
        """See a run of body lines; never called for a message without a body."""

    def end(self) -> Answer[None]:
        """Read the header, and edit the message. Raise Refused to refuse it."""

    def reader(self) -> MessageReader:
        """Return a reader that stands before the first line; there may be several.

        It reads what has come: in ``header`` and ``body`` all that was shown, and what is shown
        now. Reading raises LocalError when ``end``, or what it waits for, has ended.
        """
        return MessageReader(self)

    # --- to be called in ``end`` ----------------------------------------------------------------

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the header from top to bottom, as the edits so far leave them.

        The tuple stays as it is when edits are made, so that they may be made in a loop over it.
        Lines of the header that belong to no field are not in it, and are not touched.
        """
        return self._now().fields()

    def named(self, name: bytes) -> tuple[Field, ...]:
        """Return the fields of a name, from top to bottom; case makes no difference."""
        name = name.lower()
        return tuple(field for field in self.fields if field.name.lower() == name)

    def insert(self, at: int, name: bytes, value: Value) -> Field:
        """Insert a field before ``fields[at]``, or behind the header where there are not so many.

        Returns the new field. Raises DecisionError for a negative index; for a name that is not
        printable ASCII without blanks and colons; for a value with a NUL, a carriage return, or a
        line feed without a blank behind it; and for lines of more than 65,485 bytes.
        """
        return self._now().insert(at, name, value)

    def prepend(self, name: bytes, value: Value) -> Field:
        """Put a field on top of the header, as ``insert`` does."""
        return self._now().insert(0, name, value)

    def append(self, name: bytes, value: Value) -> Field:
        """Put a field behind the header, as ``insert`` does."""
        return self._now().append(name, value)

    def replace(self, field: Field, value: Value) -> Field:
        """Give a field another value, at its place and under its name; return the new field.

        Raises DecisionError as ``insert`` does, and LocalError for a field that is not, or no
        longer, one of this message's.
        """
        return self._now().replace(field, value)

    def remove(self, field: Field) -> None:
        """Remove a field. Raises LocalError for one that is not, or no longer, this message's."""
        self._now().remove(field)

    def append_body(self, lines: Sequence[bytes]) -> None:
        """Add lines behind the body; where there is none, behind a blank line.

        Raises DecisionError for anything but lines of bytes without line feed and NUL, and for
        lines of more than 65,485 bytes.
        """
        self._now().append_body(lines)

    def replace_body(self, lines: Sequence[bytes] | bytes) -> None:
        """Put lines in the place of the body and of all that was appended to it.

        Bytes are whole lines, each with its line feed: many of them take no memory for each.
        Raises DecisionError as ``append_body`` does.
        """
        self._now().replace_body(lines)

    def _now(self) -> Edits:
        if self._load is None:
            raise LocalError("the fields and edits of a message are there in its end() only")
        return self._load()


class StreamedMessage:
    """A handler that sees runs of lines and returns the lines to send in their place.

    To return the same list object passes the run untouched, at no cost. The blank line between
    header and body is no line of either: it is sent before the first body line that is sent.
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        _check(cls, StreamedMessage, "header", "body", "end")

    def header(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines to send in place of a run of header lines."""
        return lines

    def body(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines to send in place of a run of body lines."""
        return lines

    def end(self) -> list[bytes]:
        """Return lines to append to the message.

        They are the whole message where ``header`` and ``body`` returned no line. Otherwise they
        stand in its body, or in its header where no blank line came.
        """
        return []


MessageHandler: TypeAlias = HeldMessage | EditedMessage | StreamedMessage
"""An object that ``on_message`` may return, besides None."""
