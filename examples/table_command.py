#!/usr/bin/python3
"""Ask a command of yours for each row: it gets service and key, and prints the value.

    table domains command:/usr/local/bin/our-domains

It exits with 0, or with 1 for no such row. It runs as smtpd's user, for five seconds at most.
"""

import os
from argparse import Namespace
from asyncio import create_subprocess_exec, subprocess

from opensmtpd import options, run
from opensmtpd.errors import ConfigError, RemoteError
from opensmtpd.table import Service, Table


class Command(Table):
    services = (Service.ALIAS, Service.DOMAIN, Service.USERINFO)

    def __init__(self, flags: Namespace) -> None:
        self.path = flags.path
        if not os.access(self.path, os.X_OK):
            raise ConfigError("no program that can be run", path=self.path)

    async def lookup(self, service: Service, key: str) -> str | None:
        child = await create_subprocess_exec(self.path, service, key, stdout=subprocess.PIPE)
        try:
            said, _ = await child.communicate()
        finally:
            if child.returncode is None:  # the time is over
                child.kill()
        if child.returncode not in (0, 1):
            raise RemoteError(f"{self.path} ended with {child.returncode}")
        return None if child.returncode else said.decode().strip()


if __name__ == "__main__":
    run.table(Command, options.table_parser("table-command", __doc__))
