"""Failures of a plugin's code as the log shows them: the author's line, and the way to it."""

import os.path
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, MethodType, TracebackType
from typing import TypeAlias

from opensmtpd.errors import HandlerTimeout, LocalError

Shows: TypeAlias = Callable[[BaseException], bool]
"""Returns whether the text of an exception may be logged: it may quote a row or a password."""

FRAMES_MAX = 50
"""Lines of the log for the calls of one exception: the deepest ones."""
CAUSES_MAX = 10
"""Exceptions behind the one that is logged."""

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def any_text(_error: BaseException) -> bool:
    """Return True: the plugin handles nothing that is secret."""
    return True


def own_text(error: BaseException) -> bool:
    """Return whether the text was written for the log: that of a LocalError or HandlerTimeout."""
    return isinstance(error, LocalError | HandlerTimeout)


def no_text(_error: BaseException) -> bool:
    """Return False: any text may hold a password."""
    return False


def place(error: BaseException, method: object = None) -> str | None:
    """Return where an exception was raised, ``"file.py:12"``; None where that is not known.

    It is the author's own line: the deepest one that lies neither in this package nor in the
    standard library nor among installed packages. Where no line is the author's, as for an answer
    that was wrong, it is the first line of the author's ``method`` that was called; the deepest
    line of all where that is not known.
    """
    deepest = own = None
    for call in _calls(error):
        deepest = call
        if not _foreign(call.tb_frame.f_code.co_filename):
            own = call
    if deepest is None:
        return None
    line = _line(own) if own is not None else _definition(method) or _line(deepest)
    return line.rpartition(os.sep)[2]


def _definition(method: object) -> str | None:
    """Return where a method is defined, None where its file is not the author's."""
    while (inner := _inner(method)) is not None:
        method = inner
    code = getattr(method, "__code__", None)
    if not isinstance(code, CodeType) or _foreign(code.co_filename):
        return None
    return f"{code.co_filename}:{code.co_firstlineno}"


def _inner(method: object) -> object:
    """Return the function in a bound method or a ``functools.partial``, None for any other."""
    if isinstance(method, MethodType):
        return method.__func__
    return method.func if isinstance(method, partial) else None


def traceback(error: BaseException, shows: Shows) -> Iterator[dict[str, object]]:
    """Yield the fields of a log line for each call that led to an exception, the deepest last.

    Exceptions behind it follow, each with a line of its own in front. No line holds a value of a
    variable or a line of a program's text.
    """
    for relation, each in _behind(error):
        if relation:
            reason = each if shows(each) else None
            yield {relation: type(each).__name__, "reason": reason}
        for call in list(_calls(each))[-FRAMES_MAX:]:
            yield {"at": _line(call), "in": call.tb_frame.f_code.co_qualname}


def _behind(error: BaseException) -> list[tuple[str, BaseException]]:
    """Return an exception, and those that led to it or are parts of it, with their relation."""
    found = [("", error)]
    for _, each in found:  # grows meanwhile
        cause = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        more = [] if cause is None else [("cause", cause)]
        if isinstance(each, BaseExceptionGroup):
            more += [("part", part) for part in each.exceptions]
        known = {id(one) for _, one in found}
        found += [(relation, one) for relation, one in more if id(one) not in known]
        del found[CAUSES_MAX + 1 :]
    return found


def _calls(error: BaseException) -> Iterator[TracebackType]:
    call = error.__traceback__
    while call is not None:
        yield call
        call = call.tb_next


def _line(call: TracebackType) -> str:
    return f"{call.tb_frame.f_code.co_filename}:{call.tb_lineno}"


def _foreign(file: str) -> bool:
    """Return whether a file is no plugin's own."""
    if file.startswith((_OURS, _STANDARD, "<frozen ")):
        return True
    return any(part in file for part in _INSTALLED)
