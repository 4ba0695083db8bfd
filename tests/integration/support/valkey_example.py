"""Valkey for the example of table-redis(5)."""

from integration.support.manual_machine import Machine
from lab.peers.databases.valkey import ValkeyServer
from lab.root.root import VENV

CLIENT = f"""\
#!{VENV}/bin/python3
import sys
from time import monotonic

from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.resp import RespFailure, pack

_, option, path, *words = sys.argv
assert option == "-s"
link, until = RedisLink(RedisPlace(path=path)), monotonic() + 10
link.open(until)
[reply] = link.exchange(pack([word.encode() for word in words]), 1, until)
print(reply)
sys.exit(isinstance(reply, RespFailure))
"""
"""Stands in for valkey-cli where the root has none: that of smtpd 7.9."""


def ready(valkey: ValkeyServer, machine: Machine) -> None:
    """Let the example have an empty database at the usual socket, and a client."""
    valkey.execute("FLUSHDB")
    valkey.share(machine.view)
    client = machine.view / "usr/bin/valkey-cli"
    if not client.exists():
        client.write_text(CLIENT)
        client.chmod(0o755)
