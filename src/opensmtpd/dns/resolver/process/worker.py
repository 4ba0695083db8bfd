"""The resolver's process: c-ares, its sockets and the cache file are there, and no mail."""

import gc
import os
from typing import Any

from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.worker import Link, Worker

SYSTEM_FILES = ("/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/hosts")
"""Files that c-ares reads with the first question, and when the servers are read again."""

GARBAGE = 10_000
"""Objects more than before after which garbage is looked for; usually it is 700."""


class ResolverWorker(Worker):
    """Answers questions as name servers reply, in any order.

    Its setup is a list of name servers, each with its port, and the path of the cache file.
    """

    title = "resolver"
    in_order = False
    memory = 1 << 30
    threads = True  # pycares has one, and the cache file is written in another
    imports = (
        "opensmtpd.dns.resolver.process.event_loop",  # the first that imports asyncio
        "opensmtpd.dns.resolver.process.service",
    )
    later = ("dns.name",)  # for names that c-ares refuses; half of all the time of the imports

    def load(self, setup: Any) -> None:
        """Import all that asks. Raises ConfigError where it is missing, or knows no ports."""
        servers, self._cache_path = setup
        self.needs = Needs(SYSTEM_FILES, network=True)
        if self._cache_path is not None:  # another file is made beside it, and renamed
            folder = os.path.dirname(os.path.abspath(self._cache_path))
            self.needs |= Needs(writes=(folder,))
        self._servers = [ServerAddress(*each) for each in servers]
        try:
            import dns  # noqa: F401, PLC0415  not all have it

            from opensmtpd.dns.resolver.process import channel, service  # noqa: PLC0415  not all have it
        except ImportError as error:
            remedy = "pip install 'opensmtpd-plugins[dns]'"
            missing = "dnspython" if (error.name or "").startswith("dns") else error.name
            raise ConfigError(f"asking the DNS needs {missing}", remedy=remedy) from None
        if len({each.port for each in self._servers}) > 1 and not channel.NEW:
            remedy = "use one port for all name servers, or aiodns 4"
            fault = "aiodns 3 cannot ask name servers on different ports"
            raise ConfigError(fault, remedy=remedy)
        self._service = service.Service

    def serve(self, link: Link) -> None:
        """Serve on a loop of its own. Raises EOFError."""
        import asyncio  # noqa: PLC0415  loaded by now

        # Thousands of questions are no garbage, and each collection would look at all of them.
        gc.set_threshold(GARBAGE)

        async def run() -> None:
            await self._service(link, self._servers, self._cache_path).run()

        asyncio.run(run())
