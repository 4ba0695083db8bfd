"""asyncio does without ssl in the resolver's process, and ssl is there nevertheless."""

import subprocess
import sys

MODULE = "opensmtpd.dns.resolver.process.event_loop"


def said(program: str) -> list[str]:
    """Return the words that a new Python prints."""
    run = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    return run.stdout.split()


def test_ssl_is_not_imported_and_can_be_later() -> None:
    program = f"""
import sys
before = {{"asyncio", "ssl"}} & sys.modules.keys()
import {MODULE}
print(*before, "asyncio" in sys.modules, "ssl" in sys.modules, "_ssl" in sys.modules)
import ssl
print(ssl.SSLContext.__name__)
"""
    assert said(program) == ["True", "False", "False", "SSLContext"]


def test_what_is_there_stays() -> None:
    program = f"import ssl, sys; import {MODULE}; print(sys.modules['ssl'] is ssl)"
    assert said(program) == ["True"]


def test_the_loop_serves_without_it() -> None:
    """Datagrams, connections and tasks: all that the process does with asyncio."""
    program = f"""
import {MODULE}
import asyncio

async def echo(reader, writer):
    writer.write(await reader.readexactly(3))
    writer.close()

async def run():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"abc")
    print((await reader.readexactly(3)).decode())
    writer.transport.abort()
    server.close()
    end, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", 9)
    )
    end.abort()
    print(await asyncio.to_thread(lambda: "thread"))

asyncio.run(run())
"""
    assert said(program) == ["abc", "thread"]


def test_the_resolver_imports_it_first() -> None:
    program = """
import sys
from opensmtpd.worker.stem import Stem
stem = Stem.__new__(Stem)
stem._fault = None
stem.import_worker("opensmtpd.dns.resolver.process.worker:ResolverWorker")
print(stem._fault, "aiodns" in sys.modules, "ssl" in sys.modules)
"""
    assert said(program) == ["None", "True", "False"]
