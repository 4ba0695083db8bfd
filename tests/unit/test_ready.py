"""Nothing is imported, and no program or library opened, once smtpd has been answered ``ready``.

Each program runs from a copy of the packages that is removed then, as an upgrade does it, and must
answer all the same.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from unit.support.audited import Program
from unit.support.child import Child
from unit.support.dkim_material import RSA_PEM
from unit.support.fake_rspamd import FakeRspamd
from unit.support.lookups import HELLO as TABLE_HELLO
from unit.support.lookups import answer, check, lookup, update
from unit.support.table_child import TableChild
from unit.support.talk import HELLO, TEMPFAIL, data, datalines, report, request, result

BCRYPT = "$2b$04$abcdefghijklmnopqrstuuOXyVGvkE1jqTc4o4wqWbfXhPzmmv7Ke"
SHA = "$6$rounds=1000$abcdefgh$" + "a" * 86
ARGON2 = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"
SCRYPT = f"$scrypt$ln=4,r=8,p=1$c29tZXNhbHQ${'A' * 43}"
LINK = report(b"link-connect", b"<unknown>", b"fail", b"203.0.113.9:1", b"192.0.2.1:25")
CONNECT = request(b"connect", b"<unknown>|203.0.113.9")
MAIL = (b"From: a@example.com", b"Subject: x", b"", b"text", b".")


def ready(program: Program, hello: bytes = HELLO) -> None:
    """Shake hands, and remove the packages."""
    program.send(hello)
    program.until(b"register|ready\n")
    program.remove_packages()


def assert_nothing_late(program: Program) -> None:
    """End the program, and look at what it did when it was ready."""
    status, _, log = program.end()
    assert status == 0, log
    (kind, threads), *late = program.late()
    assert late == []
    assert (kind, int(threads) >= 2) == ("threads", True)


def dkimsign(folder: Path, *more: str) -> Program:
    key = folder / "example.com.key"
    key.write_text(RSA_PEM)
    key.chmod(0o600)
    argv = ["-d", "example.com", "-s", "mail", "-k", str(key), *more]
    return Program(folder, "opensmtpd_filters.dkimsign", *argv)


@pytest.mark.parametrize("more", [[], ["-m", "-t", "-x", "60", "-zz", "--oversign", "--debug"]])
def test_dkimsign(tmp_path: Path, more: list[str]) -> None:
    with dkimsign(tmp_path, *more) as program:
        ready(program)
        assert "dkim-key-warning" in program.log()
        program.send(LINK, data(*MAIL))
        signed = program.until(b"|.\n")
        assert b"DKIM-Signature: " in signed
        assert b"d=example.com" in signed
        for author in (b"odd\x01@\xff", "a@b\u00fccher.example".encode(), b"none"):
            program.send(data(b"From: " + author, b"", b"."))
            program.until(b"|.\n")
        assert_nothing_late(program)


def test_dkimsign_reads_its_keys_again(tmp_path: Path) -> None:
    with dkimsign(tmp_path) as program:
        ready(program)
        program.log()
        program.hang_up()
        assert program.log().startswith("dkim-key-warning ")
        assert program.log() == "reloaded"
        (tmp_path / "example.com.key").rename(tmp_path / "exampel.com.key")
        program.hang_up()
        assert "did you mean " in program.log()
        program.send(data(*MAIL))
        assert b"DKIM-Signature: " in program.until(b"|.\n")
        assert_nothing_late(program)


FILTERS = {
    "rdns": ["opensmtpd_filters.rdns"],
    "rdns-all": [
        *("opensmtpd_filters.rdns", "--verify", "--fcrdns", "junk", "--dynamic", "junk"),
        *("--helo-dns", "junk", "--header", "--dns-failure", "junk"),
    ],
    "rdns-authenticated": ["opensmtpd_filters.rdns", "--verify", "--spare-authenticated"],
    "dnsbl": ["opensmtpd_filters.dnsbl", "-v", "--dns-failure", "junk", "dnsbl.example"],
    "dnsbl-marks": ["opensmtpd_filters.dnsbl", "-mv", "-d", "dnsbl.example", "-s", "dnsbl.example"],
}


@pytest.mark.parametrize("argv", FILTERS.values(), ids=FILTERS)
def test_filters_that_ask_the_dns(tmp_path: Path, argv: list[str]) -> None:
    """Nobody listens there, so that c-ares opens its sockets, and each question fails."""
    module, *options = argv
    (tmp_path / "spared").write_text("192.0.2.0/24\n")
    options[:0] = ["--exempt", str(tmp_path / "spared")]
    if len(argv) > 1:
        cache = ["--dns-cache", str(tmp_path / "cache")]
        options[:0] = ["--nameserver", "127.0.0.1:1", "--dns-deadline", "1", *cache]
    with Program(tmp_path, module, *options) as program:
        ready(program)
        program.send(LINK, CONNECT, request(b"helo", b"client.example"))
        program.send(request(b"mail-from", b"a@example.org"))
        assert all(line.startswith(b"filter-result|") for line in program.lines(3))
        program.send(data(*MAIL))
        assert program.until(b"|.\n").endswith(datalines(*MAIL))
        program.hang_up()
        while "reload" not in (line := program.log()):
            pass
        assert line == "reloaded"
        assert_nothing_late(program)


@pytest.mark.parametrize("more", [["-A"], ["--spf-reject", "--reports"]], ids=["arc", "reports"])
def test_filter_auth(tmp_path: Path, more: list[str]) -> None:
    (tmp_path / "spared").write_text("192.0.2.0/24\n")
    options = ["mx.test", "--exempt", str(tmp_path / "spared"), "--enforce", *more]
    options += [str(tmp_path / "reports.db")] * ("--reports" in more)
    options += ["--nameserver", "127.0.0.1:1", "--dns-deadline", "1"]
    with Program(tmp_path, "opensmtpd_filters.auth", *options) as program:
        ready(program)
        program.send(LINK, report(b"link-identify", b"EHLO", b"client.example"))
        if "--spf-reject" in more:
            program.send(request(b"mail-from", b"a@example.com"))
            assert program.lines(1) == [result(b"proceed")]
        for signature in (b"a=rsa-sha256; bh=YQ==", b"a=ed25519-sha256; bh=; l=9", b"v=2"):
            program.send(report(b"tx-mail", b"0123abcd", b"ok", b"a@example.com"))
            field = b"DKIM-Signature: v=1; d=example.com; s=s; h=from; b=YQ==; " + signature
            sets = (b"ARC-Seal: i=1; cv=none", b"ARC-Authentication-Results: i=1; x; none")
            program.send(data(field, *sets, *MAIL))
            assert b"Authentication-Results: " in program.until(b"|.\n")
            program.send(report(b"tx-reset", b"0123abcd"))
        program.hang_up()
        while "reload" not in (line := program.log()):
            pass
        assert line == "reloaded"
        assert_nothing_late(program)


@pytest.mark.parametrize("where", ["memory", "file", "server"])
def test_filter_greylist(tmp_path: Path, where: str) -> None:
    """A stranger is put off, but not where the server of what is known is away."""
    lists = {"ip": "198.51.100.0/24\n", "domain": "*.example.net\n"}
    postgrey = {"clients": "/^mta[0-9]+\\.example$/\n", "recipients": "/^[a-z]+-list@/\n"}
    options = ["--nameserver", "127.0.0.1:1", "--dns-deadline", "1", "--debug"]
    for prefix, texts in (("-wl", lists), ("--whitelist", postgrey)):
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
            options += [f"{prefix}-{name}", str(tmp_path / name)]
    places = {"memory": [], "file": [f"{tmp_path}/state.db"], "server": ["redis://127.0.0.1:1"]}
    options += [word for place in places[where] for word in ("--state", place)]
    expected = result(b"proceed") if where == "server" else b"|reject|451 4.7.1 Greylisted, "
    with Program(tmp_path, "opensmtpd_filters.greylist", *options) as program:
        ready(program)
        program.send(LINK, report(b"link-identify", b"EHLO", b"client.example"))
        for sender, phase in ((b"a@example.com", b"rcpt-to"), (b"", b"data")):
            program.send(report(b"tx-mail", b"0123abcd", b"ok", sender))
            program.send(request(b"rcpt-to", b"alice@example.org"))
            if not sender:
                assert program.lines() == [result(b"proceed")]
                program.send(report(b"tx-rcpt", b"0123abcd", b"ok", b"alice@example.org"))
                program.send(request(phase))
            (said,) = program.lines()
            assert expected in said
            program.send(report(b"tx-reset", b"0123abcd"))
        program.send(report(b"link-auth", b"alice", b"pass"))
        program.send(report(b"tx-mail", b"0123abcd", b"ok", b"alice@example.org"))
        program.send(report(b"tx-rcpt", b"0123abcd", b"ok", b"a@example.com"))
        program.send(data(*MAIL))
        assert program.until(b"|.\n").endswith(datalines(*MAIL))
        program.hang_up()
        while "reload" not in (line := program.log()):
            pass
        assert line == "reloaded"
        assert_nothing_late(program)


def transaction(*recipients: bytes) -> bytes:
    """Return what smtpd reports of a transaction up to DATA."""
    return b"".join(
        [
            report(b"tx-mail", b"0123abcd", b"ok", b"a@example.com"),
            *(report(b"tx-rcpt", b"0123abcd", b"ok", each) for each in recipients),
            report(b"tx-data", b"0123abcd", b"ok"),
        ]
    )


@pytest.mark.parametrize("where", ["memory", "file", "server"])
def test_filter_limit(tmp_path: Path, where: str) -> None:
    """A user is stopped, but not where the server of what is counted is away."""
    rules = tmp_path / "limits"
    rules.write_text(
        "user messages 2/1h stop\naddress 203.0.113.0/24 bytes 1M/1h burst 2M reject\n"
        "network recipients 100/1h\nsender-domain messages 5/1s pace\n"
        "recipient-domain *.example messages unlimited\n"
    )
    places = {"memory": [], "file": [f"{tmp_path}/state.db"], "server": ["redis://127.0.0.1:1"]}
    state = [word for place in places[where] for word in ("--state", place)]
    with Program(tmp_path, "opensmtpd_filters.limit", "--debug", *state, str(rules)) as program:
        ready(program)
        program.send(LINK, report(b"link-auth", b"pass", b"alice"))
        stopped = b"reject|550 5.7.1 This account has sent too much mail and is stopped"
        for last in (b"proceed", b"proceed", b"proceed" if where == "server" else stopped):
            program.send(request(b"mail-from", b"a@example.com"))
            program.send(request(b"rcpt-to", b"b@example.org"))
            assert program.lines(2) == [result(b"proceed")] * 2
            program.send(transaction(b"b@example.org"), data(*MAIL))
            assert program.until(b"|.\n").endswith(datalines(*MAIL))
            program.send(request(b"commit"))
            assert program.lines() == [result(last)]
            program.send(report(b"tx-reset", b"0123abcd"))
        program.send(request(b"mail-from", b"a@example.com"))
        assert program.lines() == [result(last)]
        program.hang_up()
        while "reload" not in (line := program.log()):
            pass
        assert line == "reloaded"
        assert_nothing_late(program)


def test_filter_headers(tmp_path: Path) -> None:
    """Encoded words in all kinds of charsets are read."""
    rules = tmp_path / "headers"
    rules.write_text(
        "reject Subject /buy (it )?now/\njunk X-Kind *\nremove X-Mailer\nprivacy\n"
        "replace Reply-To * b@example.org\nadd X-Checked yes\n"
    )
    fields = (b"X-Kind: x", b"Reply-To: a", b"Received: from a", b"\tby b", b"User-Agent: x")
    with Program(tmp_path, "opensmtpd_filters.headers", "--debug", str(rules)) as program:
        ready(program)
        program.send(LINK, report(b"link-auth", b"alice", b"pass"))
        for charset in (b"utf-8", b"koi8-r", b"gb2312", b"shift_jis", b"windows-1252", b"none"):
            for subject in (b"=?%b?q?buy?=", b"=?%b?b?YnV5IG5vdw==?="):
                program.send(transaction(b"b@example.org"))
                program.send(data(b"Subject: " + subject % charset, *fields, *MAIL))
                whole = program.until(b"|.\n")
                if b"X-Checked: yes" in whole:
                    assert b"X-Spam: Yes" in whole
                program.send(request(b"commit"))
                assert (b"|proceed\n" in program.lines()[0]) is (b"X-Checked: yes" in whole)
                program.send(report(b"tx-reset", b"0123abcd"))
        program.hang_up()
        while "reload" not in (line := program.log()):
            pass
        assert line == "reloaded"
        assert_nothing_late(program)


@pytest.mark.parametrize("more", [[], ["--lmtp", "inet:localhost:1", "--lmtp-recipient", "x"]])
def test_filter_archive(tmp_path: Path, more: list[str]) -> None:
    """Copies of messages that are accepted are there, and no others."""
    copies = tmp_path / "copies"
    with Program(tmp_path, "opensmtpd_filters.archive", *more, str(copies)) as program:
        ready(program)
        program.send(LINK)
        large = (*MAIL[:-1], *[b"x" * 900] * 1400, b".")
        for number, message in enumerate((MAIL, large)):
            program.send(transaction(b"b@example.org"), data(*message))
            assert program.until(b"|.\n").endswith(datalines(*message))
            end = (b"tx-reset", b"0123abcd"), (b"tx-commit", b"0123abcd", b"99")
            program.send(report(*end[number]))
        while not list((copies / "new").iterdir()):
            pass
        if more:
            assert program.log().startswith("archive-lmtp-away ")
        (copy,) = (copies / "new").iterdir()
        assert copy.read_bytes().startswith(b"X-Archive-Status: accepted\n")
        assert_nothing_late(program)


@pytest.mark.parametrize("more", [["-testMode"], []])
def test_filter_senderscore(tmp_path: Path, more: list[str]) -> None:
    """One whose score is 9, or is not known."""
    (tmp_path / "friends").write_text("192.0.2.0/24\n*.example.net\n")
    options = ["-junkBelow", "70", "-slowFactor", "10", "-scoreHeader", *more]
    options += ["-allowlist", str(tmp_path / "friends"), "--nameserver", "127.0.0.1:1"]
    with Program(tmp_path, "opensmtpd_filters.senderscore", *options) as program:
        ready(program)
        program.send(LINK, CONNECT)
        assert program.lines() == [result(b"junk" if more else b"proceed")]
        for phase in (b"ehlo", b"mail-from", b"rcpt-to", b"data"):
            program.send(request(phase, b"a@example.org"))
            assert program.lines() == [result(b"proceed")]
        program.send(transaction(b"b@example.org"), data(*MAIL))
        assert (b"X-SenderScore: 9" in program.until(b"|.\n")) is bool(more)
        program.hang_up()
        while "reload" not in (line := program.log()):
            pass
        assert line == "reloaded"
        assert_nothing_late(program)


SPAM = {
    "action": "add header",
    "score": 8.2,
    "required_score": 15.0,
    "symbols": {"BAYES_SPAM": {"score": 5.1}, "ARC_NA": {"score": 0.0}},
    "dkim-signature": "v=1; a=rsa-sha256",
    "milter": {
        "add_headers": {"X-Spamd-Bar": {"value": "++", "order": 0}},
        "remove_headers": {"Subject": 0},
    },
}


@pytest.mark.parametrize("answer", [SPAM, b"HTTP/1.1 500 No\r\n\r\n", b"no HTTP", {"a": 1}])
def test_filter_rspamd(tmp_path: Path, answer: dict[str, Any] | bytes) -> None:
    """Whatever rspamd says, or whether it is there at all; a large message is sent in parts."""
    large = (*MAIL[:-1], *[b"x" * 900] * 400, b".")
    with FakeRspamd(lambda _: answer) as rspamd:
        url = f"http://localhost:{rspamd.url.rpartition(':')[2]}"
        options = ("-url", "http://127.0.0.1:1", "--url", url, "--fail", "open")
        with Program(tmp_path, "opensmtpd_filters.rspamd", *options) as program:
            ready(program)
            program.send(LINK, report(b"link-identify", b"EHLO", b"client.example"))
            for message in (MAIL, large):
                program.send(report(b"tx-mail", b"0123abcd", b"ok", b"a@example.com"))
                program.send(data(*message))
                field = b"X-Spamd-Bar: ++" if answer == SPAM else b"X-Rspamd-Unscanned: "
                assert field in program.until(b"|.\n")
                program.send(report(b"tx-reset", b"0123abcd"))
            assert_nothing_late(program)


def test_a_table_of_files(tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    text = f"# @auth force\nalice {BCRYPT}\nbob {SHA}\n*.example.org x\n192.0.2.0/24 x\n"
    rows.write_text(text)
    with Program(tmp_path, "opensmtpd_tables.flat", str(rows)) as program:
        ready(program, TABLE_HELLO)
        program.send(lookup(), lookup(b"nobody"))
        assert program.lines(2) == [answer(f"found|{BCRYPT}".encode()), answer(b"not-found")]
        program.send(check(b"mx.example.org", b"domain"), check(b"192.0.2.7", b"netaddr"))
        assert program.lines(2) == [answer(b"found", b"check")] * 2
        program.send(check(b"x", b"regex"), update())
        assert program.lines(2)[1] == answer(b"ok", b"update")
        rows.unlink()
        program.send(update())
        assert b"|error|" in program.lines()[0]
        assert_nothing_late(program)


def test_a_table_that_checks_passwords(tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    hashes = {"alice": BCRYPT, "bob": SHA, "carol": ARGON2, "dave": SCRYPT}
    text = "".join(f"{user} {hash}\n" for user, hash in hashes.items())
    rows.write_text(f"# @auth force\n{text}")
    with Program(tmp_path, "opensmtpd_tables.flat", str(rows)) as program:
        ready(program, TABLE_HELLO)
        for user in (*hashes, "nobody"):
            program.send(check(f"{user}:password".encode(), b"auth"))
            assert program.lines() == [answer(b"not-found", b"check")]
        assert_nothing_late(program)


def test_a_table_of_users(tmp_path: Path) -> None:
    users = tmp_path / "passwd"
    users.write_text(f"alice:{BCRYPT}:1000:1000:A:/home/alice:/bin/sh\n")
    with Program(tmp_path, "opensmtpd_tables.passwd", str(users)) as program:
        ready(program, TABLE_HELLO)
        program.send(lookup(service=b"userinfo"), update())
        found = answer(b"found|1000:1000:/home/alice")
        assert program.lines(2) == [found, answer(b"ok", b"update")]
        assert_nothing_late(program)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path, conf = tmp_path / "rows.db", tmp_path / "rows.conf"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE rows (key, value)")
        db.execute("INSERT INTO rows VALUES ('alice', 'bob'), ('*.example.org', 'x')")
    select = "SELECT value FROM rows WHERE key = ?"
    conf.write_text(
        f"dbpath {path}\nquery_alias {select}\nquery_domain {select}\n"
        f"patterns_domain SELECT key FROM rows\nquery_credentials SELECT key, value FROM rows"
        f" WHERE key = ?\n"
    )
    return conf


def test_a_table_of_a_database(tmp_path: Path, database: Path) -> None:
    with Program(tmp_path, "opensmtpd_tables.sqlite", str(database)) as program:
        ready(program, TABLE_HELLO)
        program.send(lookup(), check(b"mx.example.org", b"domain"), lookup(service=b"credentials"))
        assert program.lines(3) == [
            answer(b"found|bob"),
            answer(b"found", b"check"),
            answer(b"found|alice:bob"),
        ]
        (tmp_path / "rows.db").rename(tmp_path / "old.db")
        program.send(update(), lookup())
        assert len(program.lines(2)) == 2
        (tmp_path / "old.db").rename(tmp_path / "rows.db")
        program.send(update(), lookup())
        assert program.lines(2)[1] == answer(b"found|bob")
        assert_nothing_late(program)


# --- plugins of others ---------------------------------------------------------------------------

FORGET = """
for name in [name for name in sys.modules if name.split(".")[0] in ("asyncio", "concurrent")]:
    del sys.modules[name]
def loaded():
    return Reject(550, str("asyncio" in sys.modules))
"""
"""The source that all children share has imported it."""
PLAIN = """
class Some(Filter):
    def on_noop(self, session, request):
        return loaded()
"""
ASYNC = """
    async def on_connect(self, session, request):
        return PROCEED
"""
MESSAGE = """
class Seen(HeldMessage):
    async def end(self):
        return []
"""


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (PLAIN, b"False"),
        (PLAIN + ASYNC, b"True"),
        (PLAIN + "    @every(60)\n    async def look(self):\n        pass\n", b"True"),
        (PLAIN + "    async def stop(self):\n        pass\n", b"True"),
        (MESSAGE + PLAIN, b"True"),
        (PLAIN.replace("Some(", "Base(") + ASYNC + "class Some(Base):\n    pass\n", b"True"),
        ("import asyncio\n" + PLAIN, b"True"),
    ],
    ids=["plain", "handler", "timer", "stop", "message", "base", "import"],
)
def test_asyncio_is_loaded_before_for_those_who_may_need_it(
    tmp_path: Path, source: str, says: bytes
) -> None:
    with Child(tmp_path, FORGET + source) as child:
        child.hello()
        child.send(request(b"noop"))
        assert child.lines() == [result(b"reject|550 " + says)]
        assert child.end() == (0, b"", "")


GONE = f"""{FORGET}
async def later():
    return PROCEED
class Some(Filter):
    def start(self):
        sys.modules["asyncio"] = None  # as if its files were gone
    def on_connect(self, session, request):
        return later()
    def on_noop(self, session, request):
        return Offload(lambda: PROCEED)
"""


def test_a_coroutine_that_nobody_expected_fails_where_asyncio_is_gone(tmp_path: Path) -> None:
    with Child(tmp_path, GONE) as child:
        child.hello()
        for _ in range(2):
            child.send(CONNECT)
            assert child.lines() == [result(TEMPFAIL)]
            assert "handler-failed handler=on_connect error=ModuleNotFoundError" in child.log()
            child.send(request(b"noop"))
            assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


def test_a_coroutine_that_nobody_expected_where_asyncio_is_there(tmp_path: Path) -> None:
    with Child(tmp_path, GONE.replace('sys.modules["asyncio"] = None', "pass")) as child:
        child.hello()
        child.send(CONNECT, request(b"noop"))
        assert child.lines(2) == [result(b"proceed")] * 2
        assert child.end() == (0, b"", "")


def test_a_table_whose_coroutine_nobody_expected(tmp_path: Path) -> None:
    source = f"""
import sys
{FORGET.replace("Reject", "print")}
async def later():
    return "x"
class Some(Table):
    services = (Service.ALIAS,)
    def start(self):
        sys.modules["asyncio"] = None
    def lookup(self, service, key):
        return later() if key == "later" else key
"""
    with TableChild(tmp_path, source) as child:
        child.hello()
        for _ in range(2):
            child.send(lookup(b"later"), lookup())
            assert child.lines(2) == [
                answer(b"error|ModuleNotFoundError"),
                answer(b"found|alice"),
            ]
        status, out, _ = child.end()
        assert (status, out) == (0, b"")


THREADS = """
import os
from opensmtpd.errors import LocalError
def threads():
    return len(os.listdir("/proc/self/task"))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
def test_the_first_thread_is_there_before_it_is_needed(tmp_path: Path) -> None:
    source = f"""{THREADS}
class Some(Filter):
    def on_noop(self, session, request):
        return Reject(550, f"{{threads()}}")
    async def on_connect(self, session, request):
        before = threads()
        return await asyncio.to_thread(lambda: Reject(550, f"{{threads() - before}}"))
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(request(b"noop"), CONNECT)
        # This one, one for work, one of asyncio: which is the one that asyncio uses.
        assert child.lines(2) == [result(b"reject|550 3"), result(b"reject|550 0")]


def test_signals_come_to_no_other_thread(tmp_path: Path) -> None:
    """A call that waits, in the thread that smtpd is served by, must be interrupted."""
    source = """
import signal
def blocked():
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return Reject(550, str(signal.SIGALRM in mask and signal.SIGHUP in mask))
class Some(Filter):
    def on_noop(self, session, request):
        return Offload(blocked)
    def on_help(self, session, request):
        return blocked()
    async def on_connect(self, session, request):
        return await asyncio.to_thread(blocked)
"""
    with Child(tmp_path, source) as child:
        child.hello()
        for asked, said in ((b"help", b"False"), (b"noop", b"True")):
            child.send(request(asked))
            assert child.lines() == [result(b"reject|550 " + said)]
        child.send(CONNECT)
        assert child.lines() == [result(b"reject|550 True")]


def test_an_answer_that_needs_a_thread_or_a_loop_needs_no_new_descriptor(tmp_path: Path) -> None:
    """A table serves without either at first, and must not fail for want of a pipe later."""
    source = """
import resource
from opensmtpd.answer import Offload
class Some(Table):
    services = (Service.ALIAS,)
    def start(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    def lookup(self, service, key):
        return Offload(lambda: key) if key == "offload" else self.later(key)
    async def later(self, key):
        return key
"""
    with TableChild(tmp_path, source) as child:
        child.hello()
        child.send(lookup(b"offload"), lookup(b"async"))
        assert child.lines(2) == [answer(b"found|offload"), answer(b"found|async")]
        assert child.end() == (0, b"", "")
