"""Hide passwords, hashes and the keys of logins in all lines of a table that are shown.

Of a row of credentials, only the user that was asked for is shown. A password in clear looks like
anything else; so what follows ``found|`` is hidden whole, and a hash wherever it stands.
"""

import re

from opensmtpd.table import Service
from opensmtpd_cli.terminal import shown

HIDDEN = "***"

_LOGINS = (Service.CREDENTIALS, Service.AUTH)
_ANSWER = re.compile(r"([a-z]+-result\|[0-9a-f]*\|)(?:(found|error)\|(.*)|found|error|not-found)")
_HASH = re.compile(
    r"(?:\{[A-Za-z0-9.-]{1,40}\})?\$(?:[0-9A-Za-z-]{1,16}\$|md5,)\S*"
    r"|\{[A-Z0-9.-]{3,40}\}(?![,;:]?(?:\s|$))\S+"  # a scheme with something behind
)
_SHORT = 4
"""Characters from which on a text is looked for in others: shorter ones are anywhere."""


def hashes_hidden(text: str) -> str:
    """Return a text without what looks like a hash, or a password with a scheme in front."""
    return _HASH.sub(HIDDEN, text)


class Secrets:
    """The request that is under way, its answer, and the secrets in both."""

    def __init__(self) -> None:
        self.unanswered = False
        """True while secrets may be under way that are not known yet."""
        self._service: Service | None = None
        self._user = ""
        self._secrets: list[str] = []

    def asked(self, service: Service, key: str | None) -> str:
        """Take a request; return its key as it may be shown."""
        self._service, self._user, self._secrets = service, "", []
        self.unanswered = service in _LOGINS
        if key is None:
            return ""
        if service not in _LOGINS:
            return hashes_hidden(key)
        self._user, colon, password = key.partition(":")
        self._hide(key if service is Service.AUTH else "", password)
        if service is Service.AUTH:
            return HIDDEN
        return hashes_hidden(self._user) + (f":{HIDDEN}" if colon else "")

    def line(self, line: str) -> str:
        """Take a line of a table's answers; return it as it may be shown."""
        self.unanswered = False
        if self._service not in _LOGINS:
            return hashes_hidden(line)
        match = _ANSWER.fullmatch(line)
        if not match:
            return HIDDEN if line else line
        head, outcome, text = match.groups()
        if outcome is None:
            return line
        return f"{head}{outcome}|" + (self.value(text) if outcome == "found" else self.text(text))

    def value(self, value: str) -> str:
        """Return a value that was found as it may be shown."""
        if self._service not in _LOGINS:
            return self.text(value)
        user, colon, hash = value.partition(":")
        self._hide(value, hash)
        if colon and user.lower() == self._user.lower() != "":
            return f"{user}:{HIDDEN}"
        return HIDDEN if value else value

    def text(self, text: str) -> str:
        """Return a text that may hold secrets, as a table's own log, as it may be shown."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            if len(secret) >= _SHORT:
                text = text.replace(secret, HIDDEN)
            elif secret in text and self._service is Service.AUTH:
                return HIDDEN
        return hashes_hidden(text)

    def _hide(self, *secrets: str) -> None:
        for secret in filter(None, secrets):
            self._secrets += [secret, shown(secret)]
