"""The worker that talks to rspamd: HTTP, TLS and JSON are in its process, and not in smtpd's child.

Requests are ``[SEND, number, head, part, last, until]``, and more below; ``number`` stands for an
upload of the front, ``until`` is a time of ``time.monotonic``, which is the same for all processes.
They are answered when the system has taken the part, the last one with the verdict.
"""

import asyncio
from typing import Any

from opensmtpd.backends.network import names
from opensmtpd.backends.network.opening import reason
from opensmtpd.errors import ServerLate, ServerLost, Unavailable
from opensmtpd.mail.rspamd.reply import verdict
from opensmtpd.mail.rspamd.upload import Upload
from opensmtpd.mail.rspamd.url import Url
from opensmtpd.mail.rspamd.worker_orders import SEND, STOP
from opensmtpd.needs import Needs
from opensmtpd.worker.coroutines import CoroutineWorker


class UnknownUpload(Unavailable):
    """This process does not have the parts before: it has taken the place of another one."""


class RspamdWorker(CoroutineWorker):
    """Uploads messages, and reads verdicts. Its setup is a list of URLs, as plain data."""

    title = "rspamd"
    threads = True  # for names of hosts
    memory = 1 << 30

    def load(self, setup: Any) -> None:
        """Take the URLs. Raises ConfigError where TLS cannot be used."""
        self._urls = [Url(*each) for each in setup]
        self._uploads: dict[int, Upload] = {}
        sockets = tuple(each.socket for each in self._urls if each.socket)
        self.needs = Needs(sockets=sockets)
        self._context = None
        if any(each.host for each in self._urls):
            names.prepare()
            self.needs |= names.NEEDS
        if any(each.tls for each in self._urls):
            from opensmtpd.backends.network import tls  # noqa: PLC0415  most have none

            self._context = tls.context("")
            self.needs |= Needs(reads=tls.system_authorities())

    async def answer(self, request: Any) -> Any:
        """Obey a request. Raises UnknownUpload, ServerLost, ServerLate."""
        order, number, *arguments = request
        if order == SEND:
            return await self._send(number, *arguments)
        if order == STOP:
            self._stop(number)
            return None
        return await self._ping(number, *arguments)

    async def _send(self, number: int, head: Any, part: bytes, last: bool, until: float) -> Any:
        """Send a part. With the first one, ``head`` is the index of a URL and the fields."""
        upload = self._uploads.get(number)
        if head is not None:
            index, fields = head
            upload = self._uploads[number] = Upload(self._urls[index], self._context)
        if upload is None:
            raise UnknownUpload("the parts before are not here")
        ended = True
        try:
            async with asyncio.timeout_at(until):
                if head is not None:
                    length = len(part) if last else None
                    await upload.open("POST", "/checkv2", fields, length)
                await upload.send(part, last=last)
                if last:
                    return verdict(await upload.answer())
            ended = self._uploads.get(number) is not upload  # it was stopped meanwhile
            return None
        except TimeoutError:
            raise ServerLate("it does not answer in time") from None
        except OSError as error:
            raise ServerLost(reason(error)) from None
        finally:
            if ended:
                upload.abort()
                self._uploads.pop(number, None)

    async def _ping(self, index: int, seconds: float) -> None:
        """Ask an rspamd whether it is there."""
        upload = Upload(self._urls[index], self._context)
        try:
            async with asyncio.timeout(seconds):
                await upload.open("GET", "/ping", [], 0)
                await upload.send(b"", last=True)
                await upload.answer()
        except TimeoutError:
            raise ServerLate("it does not answer in time") from None
        finally:
            upload.abort()

    def _stop(self, number: int) -> None:
        upload = self._uploads.pop(number, None)
        if upload is not None:
            upload.abort()
