"""The opinion of dkimpy about a message: an implementation of DKIM and ARC by others."""

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from opensmtpd.dns import Found, Lookup, Question, RecordType
from opensmtpd.errors import ConfigError


class Opinion(NamedTuple):
    """Its result for a signature, or for the chain."""

    method: str
    """``"dkim"`` or ``"arc"``."""
    result: str
    """``"pass"``, ``"fail"``, ``"none"``, or ``"error"``: it gave up."""
    reason: str = ""


def opinions(message: bytes, key: Callable[[str], bytes | None]) -> list[Opinion]:
    """Return its opinion on each signature, the topmost first, and on the chain of ARC.

    ``message`` has CRLF line ends; ``key`` returns the text of a TXT record. Raises ConfigError
    where dkimpy is not installed.
    """
    try:
        import dkim  # noqa: PLC0415  seldom needed, and not everybody has it
    except ImportError as error:
        remedy = "pip install dkimpy, or python3-dkim of Debian"
        raise ConfigError(f"the judge dkimpy needs {error.name}", remedy=remedy) from None

    def txt(name: bytes, timeout: int = 5) -> bytes | None:
        return key(name.decode("latin-1").rstrip(".").lower())

    def signature(index: int) -> Opinion:
        log = _Log()
        good = dkim.DKIM(message, logger=log.logger).verify(index, dnsfunc=txt)
        return Opinion("dkim", "pass") if good else Opinion("dkim", "fail", log.last)

    def chain() -> Opinion:
        result, _, reason = dkim.ARC(message, logger=_Log().logger).verify(dnsfunc=txt)
        return Opinion("arc", result.decode("ascii"), str(reason))

    try:
        headers = dkim.DKIM(message).headers
    except Exception as error:  # IndexError, say, of a header that begins with a folded line
        return [_gave_up("dkim", error)]
    count = sum(name.lower() == b"dkim-signature" for name, _ in headers)
    signatures = [_attempt("dkim", partial(signature, index)) for index in range(count)]
    return [*signatures, _attempt("arc", chain)]


def _attempt(method: str, judge: Callable[[], Opinion]) -> Opinion:
    try:
        return judge()
    except Exception as error:  # all kinds of them: KeyError, IndexError, its own
        return _gave_up(method, error)


def _gave_up(method: str, error: Exception) -> Opinion:
    return Opinion(method, "error", str(error) or type(error).__name__)


class _Log(logging.Handler):
    """Keeps the last error that it logs: it often says no more than False."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""
        self.logger = logging.Logger("dkimpy")
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.last = record.getMessage()


def published(name: str) -> Lookup[bytes | None]:
    """Return the first TXT record of a name; None where there is none, or nobody knows."""
    [reply] = yield [Question(name, RecordType.TXT)]
    return reply.records[0].encode("latin-1") if isinstance(reply, Found) else None
