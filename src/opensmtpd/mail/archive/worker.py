"""The worker that writes copies: see ``orders`` for what it is told."""

import os
from typing import Any

from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.log import log
from opensmtpd.mail.archive import orders
from opensmtpd.mail.archive.maildir import ArchiveMaildir
from opensmtpd.needs import Needs
from opensmtpd.worker import Worker


class ArchiveWorker(Worker):
    """Writes copies into a Maildir. Its setup: path, owner, and whether to make the folders."""

    title = "copies"

    def load(self, setup: Any) -> int:
        """Return the number of copies that others had left. Raises ConfigError."""
        path, owner, new = setup
        self._maildir = ArchiveMaildir(os.path.abspath(path), owner)
        self.needs = Needs(writes=(self._maildir.path,), locks=True)
        if not new:
            self._maildir.check()
            return 0
        self._maildir.prepare()
        try:
            self._maildir.lock()
        except OSError as error:
            raise ConfigError(error.strerror or "the disk fails", path=path) from None
        try:
            return self._maildir.recover()
        except OSError as error:  # a full disk must not keep smtpd from starting
            log("archive-late", reason=error.strerror or "the disk fails")
            return 0

    def handle(self, request: Any) -> bool:
        """Obey an order. Raises Unavailable."""
        order, *arguments = request
        try:
            if order == orders.WRITE:
                name, at, data, last = arguments
                self._maildir.write(name, at, data, last=last)
            elif order == orders.ACCEPT:
                self._maildir.accept(*arguments)
            elif order == orders.DROP:
                self._maildir.drop(*arguments)
            else:
                self._maildir.recover()
        except OSError as error:
            raise Unavailable(error.strerror or "the disk fails") from None
        return True
