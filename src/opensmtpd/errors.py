"""Every exception of the suite.

::

    Error
    ├── LocalError            ours, or the plugin author's
    │   ├── ConfigError       a flag, file or key that cannot be used
    │   ├── DecisionError     an answer that smtpd would not take
    │   └── SpoolError        no room for a message, neither in memory nor on disk
    └── RemoteError           smtpd's, or of whoever speaks in its place
        └── ProtocolError     a line that cannot be understood
            └── VersionError  a protocol that we do not speak

    HandlerTimeout            a handler that did not answer in time (a BaseException)
"""


class Error(Exception):
    """The root of all exceptions raised here."""


class LocalError(Error):
    """Something on our side is wrong: configuration, or a plugin's code."""


class ConfigError(LocalError):
    """Configuration that cannot be used: one line that names the place and the remedy.

    ``path`` is the file, ``line`` its line number counted from 1, ``remedy`` what to do about it.
    None of the three may hold a secret: the text goes to the log.
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
    """An answer that smtpd would not take: it is refused before it can reach the wire."""


class SpoolError(LocalError):
    """No room for a message, or no way back to it: it must be refused, for it would be lost."""


class HandlerTimeout(BaseException):
    """A handler did not answer within the time that it has.

    No Exception, so that a handler's own ``except Exception`` does not swallow it and go on.
    """


class RemoteError(Error):
    """What came in is wrong."""


class ProtocolError(RemoteError):
    """A line from smtpd that cannot be understood."""


class VersionError(ProtocolError):
    """A protocol version that we do not speak."""
