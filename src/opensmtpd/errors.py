"""Every exception of the suite that leaves the folder where it is raised.

::

    Error
    ├── LocalError            our side is wrong: the configuration, or a plugin
    │   ├── ConfigError       a flag, file or key that cannot be used
    │   ├── DecisionError     an answer that smtpd would not take
    │   ├── SpoolError        no room for a message, neither in memory nor on disk
    │   └── Unavailable       a database or server that cannot be used at this moment
    │       ├── ServerLate    a server that did not answer in time
    │       ├── ServerLost    a server that cannot be reached, or closed the connection
    │       ├── ServerRefused a server that answered a question with an error
    │       └── WorkerError   a worker process that did not answer a request
    ├── RemoteError           the other side is wrong, or gone: smtpd, a server, a message
    │   ├── ProtocolError     a line that cannot be understood
    │   │   └── VersionError  a protocol that we do not speak
    │   ├── PermError         text that can never be used: a signature, a record in the DNS
    │   ├── SmtpdGone         smtpd closed its end, and so do we
    │   └── Unsignable        a message that must not be signed
    └── Refused               no failure: a handler refuses the command or the message

    HandlerTimeout            a handler that did not answer in time (a BaseException)

``did_you_mean`` and ``nearest`` find the remedy for a name that was misspelt; ``returned`` names
an answer that is none.
"""

from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "DecisionError",
    "Error",
    "HandlerTimeout",
    "LocalError",
    "PermError",
    "ProtocolError",
    "Refusal",
    "Refused",
    "RemoteError",
    "ServerLate",
    "ServerLost",
    "ServerRefused",
    "SmtpdGone",
    "SpoolError",
    "Unavailable",
    "Unsignable",
    "VersionError",
    "WorkerError",
]


NAMES_MAX = 1000
"""Names that ``nearest`` compares, at most; there may be a folder with many files."""
LENGTH_MAX = 64
"""Characters of a name that it compares."""


class Error(Exception):
    """The root of all exceptions raised here, but for HandlerTimeout."""


class LocalError(Error):
    """Something on our side is wrong: configuration, or a plugin's code."""


class ConfigError(LocalError):
    """Configuration that cannot be used: one line that names the place and the remedy.

    ``path`` is the file, ``line`` its line number counted from 1, ``remedy`` the thing to do about
    it. None of the three may hold a secret: the text goes to the log.
    """

    def __init__(
        self, message: str, *, path: str | None = None, line: int | None = None, remedy: str = ""
    ) -> None:
        self.message, self.path, self.line, self.remedy = message, path, line, remedy
        place = path or ""
        if path and line:
            place += f":{line}"
        text = f"{place}: {message}" if place else message
        super().__init__(f"{text}; {remedy}" if remedy else text)


class DecisionError(LocalError):
    """An answer that smtpd would not take: it is refused before it can reach the wire.

    ``method`` is the method that returned it, where that is known: the log says where it stands.
    """

    def __init__(self, *args: object, method: object = None) -> None:
        self.method = method
        super().__init__(*args)


class SpoolError(LocalError):
    """No room for a message, or no way back to it: it must be refused, or it would be lost."""


class HandlerTimeout(BaseException):
    """A handler did not answer within the time that it has.

    No Exception, so that a handler's own ``except Exception`` does not swallow it and go on.
    """


class Unavailable(LocalError):
    """A database or server that cannot be used at this moment."""


class ServerLate(Unavailable):
    """A server did not answer in time: nothing that it says later may count."""


class ServerLost(Unavailable):
    """A server cannot be reached, has closed the connection, or has said what is no answer."""


class ServerRefused(Unavailable):
    """A server answered a question with an error: it is well, and the next one may be answered."""


class WorkerError(Unavailable):
    """A worker did not answer a request: it failed, was late, died twice, or has too much to do.

    ``kind`` is the type of the worker's own exception, "" where there was none.
    """

    def __init__(self, reason: str, kind: str = "") -> None:
        self.kind = kind
        super().__init__(reason)


class RemoteError(Error):
    """Something on the other side is wrong: a line, a message, an answer; or the side is gone."""


class ProtocolError(RemoteError):
    """A line from smtpd that cannot be understood."""


class VersionError(ProtocolError):
    """A protocol version that we do not speak."""


class PermError(RemoteError):
    """A signature, or a record in the DNS, that cannot be used, now or later (RFC 8601: permerror).

    Its text is the reason, in our own words: nothing foreign but the name of a tag is in it.
    """


class SmtpdGone(RemoteError):
    """The other end of the connection is closed: smtpd stopped, and the plugin does, too."""


class Unsignable(RemoteError):
    """A message that must not be signed, for the reason in the text.

    ``domain`` is the domain in its From field, as bytes, if it is known.
    """

    def __init__(self, reason: str, domain: bytes | None = None) -> None:
        self.domain = domain
        super().__init__(reason)


class Refusal:
    """A decision that refuses: the base of Reject and Disconnect in ``opensmtpd.filter.decisions``.

    It stands here because Refused carries one, and this module imports nothing.
    """

    __slots__ = ()
    code: int
    """The code of the reply, 400 to 599."""
    text: str
    """The text of the reply: one line of printable ASCII."""


class Refused(Error):
    """Raised by a handler to refuse the command or the message: a decision, not a failure.

    ``decision`` is the Reject or Disconnect to answer with. Raises DecisionError itself for any
    other object.
    """

    def __init__(self, decision: Refusal) -> None:
        if not isinstance(decision, Refusal):
            raise DecisionError(f"a {type(decision).__name__} is no refusal")
        self.decision = decision
        super().__init__(repr(decision))


def returned(value: object) -> str:
    """Return words for a value that a method returned by mistake, without the value itself.

    It may hold a password, so that only its type is named.
    """
    if isinstance(value, type):
        return f"returned the class {value.__name__}"
    return "returned None" if value is None else f"returned a {type(value).__name__}"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that is nearest to ``name``, None where none is near.

    Near is a name that differs in less than half of its characters. difflib is not used: it is slow
    to import, and an import may fail in a process that runs for long.
    """
    best, least = None, max(len(name), 1)
    for each in sorted(names)[:NAMES_MAX]:
        limit = min(least - 1, (max(len(name), len(each)) - 1) // 2)
        if len(each) <= LENGTH_MAX and abs(len(name) - len(each)) <= limit:
            distance = _distance(name[:LENGTH_MAX], each, limit)
            if distance <= limit:
                best, least = each, distance
    return best


def _distance(one: str, other: str, limit: int) -> int:
    """Return how many characters to change, insert, remove or swap with their neighbour.

    Any number above ``limit`` stands for one that is larger.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, theirs in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != theirs))
            if i > 1 and j > 1 and char == other[j - 2] and one[i - 2] == theirs:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the end of a message, ``"; did you mean NAME?"``; empty where no name is near."""
    near = nearest(name, names)
    return f"; did you mean {near}?" if near else ""
