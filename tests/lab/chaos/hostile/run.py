"""A million hostile sessions through each filter, and as many requests to each table."""

import multiprocessing
import os
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from typing import NamedTuple

from lab.chaos.hostile import filters, tables
from lab.chaos.hostile.milter import HostileMilter
from lab.chaos.hostile.names import HostileNames
from lab.chaos.hostile.program import Program, ProgramError
from lab.chaos.hostile.rspamd import HostileRspamd
from opensmtpd.mail.dkim.keys import generate
from opensmtpd.testing import Fatal, Smtpd, TableSmtpd

PORT = 5300
GROWTH = 8 << 20
"""Bytes that a program may grow between a fifth of a run and its end, a tenth of it beside."""

RSPAMD = "-url"
MILTER = "inet:{port}@127.0.0.1"
DNS = ("--nameserver", "127.0.0.1:{port}", "--dns-deadline", "1")
PROGRAMS: dict[str, tuple[str, ...]] = {
    "filter-dkimsign": ("-a", "ed25519-sha256", "-d", "example.com", "-s", "x", "-k", "{dir}/key"),
    "filter-rdns": ("--verify", "--rdns", "header", "--fcrdns", "junk", "--dynamic", "header",
                    "--helo-dns", "header", "--dns-failure", "header", *DNS),
    "filter-fcrdns": ("--verify", "--fcrdns", "reject:{{rdns}} {{helo}}", *DNS),
    "filter-dnsbl": ("-mv", *DNS, "one.example", "-w", "white.example", "-d", "names.example"),
    "filter-senderscore": ("-blockBelow", "2", "-junkBelow", "70", "-slowFactor", "20",
                           "-scoreHeader", *DNS),
    "filter-greylist": ("-passtime", "0.1", "-greyexp", "60", "--auto-white", "20",
                        "--state", "{dir}/greylist.db", "--whitelist-clients", "{dir}/clients",
                        "--whitelist-recipients", "{dir}/recipients", *DNS),
    "filter-headers": ("{dir}/headers",),
    "filter-rspamd": (RSPAMD, "http://127.0.0.1:{port}", "--timeout", "1", "--fail", "open"),
    "filter-milter": (MILTER, MILTER, "--fail", "open", "--connect-timeout", "2",
                      "--command-timeout", "1", "--content-timeout", "1"),
    "filter-limit": ("--state", "{dir}/limits.db", "{dir}/limits"),
    "table-sqlite": ("{dir}/sqlite.conf",),
    "table-flat": ("{dir}/flat",),
    "table-passwd": ("{dir}/passwd",),
}  # fmt: skip
HASH = "$6$saltsalt$" + 86 * "."
LIMITS = """\
address messages 300/1s reject
network recipients 500/1s
sender messages 100/1s
sender @example.com bytes 1M/1s burst 20K reject
sender-domain recipients 100/1s
recipient-domain messages 2000/1s pace
recipient-domain bytes 10M/1s burst 1M pace
user messages 1/1s stop 1s
"""
"""Rules that are exceeded now and then, and that have nobody wait for long."""


class Shard(NamedTuple):
    """A part of a run: its own process of the program, and its own dice."""

    program: str
    size: int
    seed: int
    port: int


class Outcome(NamedTuple):
    """How a shard ended."""

    program: str
    size: int
    seconds: float
    before: int
    after: int
    """Bytes of memory after a fifth of the run, and at the end."""
    fault: str | None

    @property
    def flat(self) -> bool:
        """Did it stay as large as it was?"""
        return self.after <= self.before * 1.1 + GROWTH


def run(names: Sequence[str], count: int, seed: int) -> bool:
    """Run ``count`` sessions or requests through each program, a shard on each core.

    Returns whether all is well.
    """
    cores = os.cpu_count() or 1
    shards = [
        Shard(name, max(1, count // cores), seed + number, PORT + number)
        for name in names
        for number in range(cores)
    ]
    well = True
    start = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=start) as pool:
        for one in pool.map(outcome, shards):
            well &= one.fault is None and one.flat
            rate = one.size / one.seconds
            size = f"{one.before / 1e6:.1f} MB, {one.after / 1e6:.1f} MB at the end"
            verdict = one.fault or ("well" if one.flat else "IT GROWS")
            print(f"chaos: {one.program}: {one.size} ({rate:.0f}/s), {size}: {verdict}", flush=True)
    return well


def outcome(shard: Shard) -> Outcome:
    """Run a shard to its end, or to the first fault."""
    start = time.monotonic()
    sizes: dict[str, int] = {}
    fault = None
    try:
        serve(shard, sizes)
    except (ProgramError, Fatal, AssertionError) as error:
        fault = f"{type(error).__name__}: {error} (seed {shard.seed})"
    return Outcome(
        shard.program,
        shard.size,
        time.monotonic() - start,
        sizes.get("before", 0),
        sizes.get("after", 0),
        fault,
    )


def serve(shard: Shard, sizes: dict[str, int]) -> None:
    """Run a shard. Raises ProgramError, Fatal."""
    dice = Random(shard.seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lay_out(folder)
        plain = PROGRAMS[shard.program]
        words = [word.format(dir=folder, port=shard.port) for word in plain]
        if DNS[0] in words:
            stack.enter_context(HostileNames(Random(shard.seed), shard.port))
        if RSPAMD in words:
            stack.enter_context(HostileRspamd(Random(shard.seed), shard.port))
        if MILTER in plain:
            stack.enter_context(HostileMilter(Random(shard.seed), shard.port))
        if shard.program.startswith("table-"):
            table = TableSmtpd("7.9.0", "t")
            program = Program([shard.program, *words], table.receive, folder / "log")
            stack.enter_context(program)
            requests = tables.Requests(dice, table)
            requests.start(program)

            def batch(count: int) -> None:
                requests.batch(program, count)
        else:
            smtpd = Smtpd(dice.choice(("6.8.0", "7.6.0", "7.9.0")))
            program = Program([shard.program, *words], smtpd.receive, folder / "log")
            stack.enter_context(program)
            crowd = filters.Crowd(dice, smtpd, program)
            filters.start(crowd, program)

            def batch(count: int) -> None:
                crowd.batch(count)

        done = 0
        while done < shard.size:
            size = min(filters.BATCH, shard.size - done)
            batch(size)
            done += size
            if done <= max(shard.size // 5, filters.BATCH):
                sizes["before"] = program.memory()
            # What is logged grows without end, and is of no use after a while.
            os.truncate(folder / "log", 0)
        sizes["after"] = program.memory()


def lay_out(folder: Path) -> None:
    """Write the files that the programs read."""
    (folder / "key").write_bytes(generate.ed25519().pem)
    (folder / "key").chmod(0o600)
    (folder / "headers").write_text(
        'reject * /filter-result|b{30}/ "451 4.7.1 later"\njunk Subject *hello*\nremove X-*-*\n'
        "replace From * x\nadd X-New 1\nprivacy\n"
    )
    (folder / "flat").write_text(
        "# @list\nalice\nsales\nexample.org\n*.example.net\n10.0.0.0/8\n@example.com\n^(a|aa)+!$\n"
    )
    (folder / "limits").write_text(LIMITS)
    (folder / "clients").write_text("mail.example\n/^a*(b|a)+$/\n203.0.113\n")
    (folder / "recipients").write_text("postmaster@\n/^(a|aa)+!@/\n")
    (folder / "passwd").write_text(f"# @auth\nalice:{HASH}:1000:1000:Alice:/home/alice:/bin/sh\n")
    with closing(sqlite3.connect(folder / "db")) as rows, rows:
        rows.execute("CREATE TABLE t (key TEXT PRIMARY KEY, value TEXT, uid INTEGER)")
        values = ("alice", "sales", "example.org", "10.1.2.3", "bad\nvalue", "")
        rows.executemany("INSERT INTO t VALUES (?, ?, 7)", [(key, key) for key in values])
    one = ("alias", "domain", "netaddr", "mailaddr", "addrname", "mailaddrmap", "string")
    queries = [f"query_{name} SELECT value FROM t WHERE key = ?" for name in one]
    queries += [
        "query_credentials SELECT key, value FROM t WHERE key = ?",
        "query_userinfo SELECT uid, uid, value FROM t WHERE key = ?",
        "fetch_source SELECT value FROM t",
        "patterns_domain SELECT value FROM t",
        "query_auth SELECT key, value FROM t WHERE key = ?",
    ]
    (folder / "sqlite.conf").write_text("\n".join([f"dbpath {folder}/db", *queries, ""]))
