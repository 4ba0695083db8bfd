"""Checks of the methods of an author's class, made with the class: mistakes show before any mail.

They look at code objects, because ``inspect`` is slow to import. They refuse only what cannot be
called: objects other than functions, as ``functools.partial`` makes, are not looked into.
"""

from collections.abc import Collection, KeysView
from types import FunctionType

from opensmtpd.errors import LocalError

# The flags of code objects, as ``inspect.CO_VARARGS``, ``CO_COROUTINE`` and ``CO_ASYNC_GENERATOR``.
_VARARGS, _ASYNC = 0x04, 0x80 | 0x200


def own_names(cls: type, base: type) -> KeysView[str]:
    """Return the names that ``cls`` has of its own, or of a class that is no base of ``base``."""
    own = [each for each in cls.__mro__ if each not in base.__mro__]
    return dict.fromkeys(name for each in own for name in vars(each)).keys()


def check_call(cls: type, base: type, names: Collection[str]) -> None:
    """Raise LocalError where a method of ``cls`` cannot be called as that of ``base`` is."""
    for name in own_names(cls, base):
        if name in names and not fits(cls, name, base, name):
            called, _ = _function(base, name)
            assert called is not None, f"{base.__name__}.{name} is no function"
            parameters = ", ".join(called.__code__.co_varnames[: called.__code__.co_argcount])
            raise LocalError(
                f"{cls.__name__}.{name}: it cannot be called; write def {name}({parameters})"
            )


def fits(cls: type, name: str, base: type, called: str) -> bool:
    """Return False where the method ``name`` of ``cls`` cannot stand for ``base.called``."""
    method, bound = _function(base, called)
    return method is None or _takes(cls, name, method.__code__.co_argcount - bound)


def check_plain(cls: type, *names: str) -> None:
    """Raise LocalError where one of these methods of ``cls`` is ``async def``."""
    for name in names:
        function, _ = _function(cls, name)
        if function is not None and function.__code__.co_flags & _ASYNC:
            raise LocalError(
                f"{cls.__name__}.{name}: it is never awaited; write def, not async def"
            )


def check_timers(cls: type, base: type) -> None:
    """Raise LocalError where a method that ``opensmtpd.timers.every`` marked needs arguments."""
    for name in own_names(cls, base):
        marked = isinstance(getattr(_found(cls, name), "every_seconds", None), float)
        if marked and not _takes(cls, name, 0):
            remedy = "decorate another method" if hasattr(base, name) else f"write def {name}(self)"
            text = f"{cls.__name__}.{name}: @every calls it without arguments"
            raise LocalError(f"{text}; {remedy}")


def any_coroutine(base: type) -> bool:
    """Return whether a class below ``base`` has a method of its own that is ``async def``."""
    below: list[type] = base.__subclasses__()
    functions = [_function(cls, name)[0] for cls in below for name in own_names(cls, base)]
    waits = any(each is not None and each.__code__.co_flags & _ASYNC for each in functions)
    return waits or any(any_coroutine(cls) for cls in below)


def _takes(cls: type, name: str, count: int) -> bool:
    """Return False where a method certainly cannot be called with ``count`` arguments."""
    function, bound = _function(cls, name)
    if function is None:
        return True
    code, given = function.__code__, count + bound
    named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return (
        given >= code.co_argcount - len(function.__defaults__ or ())
        and (given <= code.co_argcount or bool(code.co_flags & _VARARGS))
        and set(named) <= set(function.__kwdefaults__ or ())
    )


def _function(cls: type, name: str) -> tuple[FunctionType | None, int]:
    """Return the function of a method, None where it has none, and how many arguments are bound."""
    found, bound = _found(cls, name), 1
    if isinstance(found, staticmethod | classmethod):
        bound = int(isinstance(found, classmethod))
        found = found.__func__
    return (found if isinstance(found, FunctionType) else None), bound


def _found(cls: type, name: str) -> object:
    """Return what stands in the class under a name, without binding it."""
    return next((vars(each)[name] for each in cls.__mro__ if name in vars(each)), None)
