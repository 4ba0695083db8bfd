"""The tables of servers, through a campaign each: ``make chaos ARGS='--only lookups'``."""

from collections.abc import Iterable

from lab.chaos.lookups import Asked, Tally, campaign
from lab.peers.databases.filled import BACKENDS, Backend, users
from lab.peers.databases.server import DatabaseServer
from lab.peers.table_client import TableClient, in_view
from lab.root import plugin, stage

USERS = 1_000
TIMEOUT = 0.3
"""Seconds: less than by default, so that more questions are late."""
ABSENT = [f"nobody{number}".encode() for number in range(50)]


def asked() -> Asked:
    """Return the users' aliases."""
    rows = [(row.name.encode(), row.alias.encode()) for row in users(USERS)]
    return Asked("alias", rows, ABSENT)


def with_timeout(backend: Backend) -> Backend:
    """Return it with TIMEOUT in its configuration; without one it has the one by default."""
    if backend.conf.startswith("/"):
        return backend
    return Backend(
        backend.program, backend.server, backend.fill, f"{backend.conf}timeout {TIMEOUT}\n"
    )


def run(
    server: DatabaseServer,
    backend: Backend,
    command: list[str],
    size: int,
    seconds: float,
    seed: int = 0,
) -> Tally:
    """Have a server filled, and a table go through a campaign. Raises what that raises."""
    backend.fill(server, USERS)
    with TableClient(command, backend.argument) as table:
        return campaign(
            server, table, asked(), size=size, timeout=TIMEOUT, seconds=seconds, seed=seed
        )


def storm(
    prepared: stage.Stage, names: Iterable[str], size: int, seconds: float, seed: int
) -> bool:
    """Run the campaigns of all that are installed; returns whether no answer was wrong."""
    root = prepared.installed("chaos-lookups")
    wrong = 0
    for name in names:
        backend = with_timeout(BACKENDS[name])
        if not (root / plugin.LIBEXEC / (backend.program + plugin.ORIGINAL)).exists():
            print(f"chaos: {backend.program} is not installed", flush=True)
            continue
        with backend.server(prepared.root) as server:
            server.share(root)
            backend.lay_out(root)
            command = in_view(root, backend.program)
            tally = run(server, backend, command, size=size, seconds=seconds, seed=seed)
        print(f"chaos: {backend.program}: {tally}", flush=True)
        wrong += len(tally.wrong)
    return not wrong
