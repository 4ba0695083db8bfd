"""Passwords that the tables check themselves: the service ``auth``, which smtpd 7.9 can use.

Port 587 asks table-flat, port 465 asks table-sqlite.
"""

import smtplib
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

import bcrypt
import pytest
from argon2 import PasswordHasher

from lab.peers import mail
from lab.root.namespace import SERVER4
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, setups

passlib = import_module("passlib.hash")  # it ships no types
PASSWORD = "Mixed Case: 'it' | ü €"
HASHERS: dict[str, Callable[[str], str]] = {
    "argon": PasswordHasher(time_cost=1, memory_cost=8192).hash,
    "bcrypt": lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode(),
    "scrypt": passlib.scrypt.using(rounds=10).hash,
    "sha512": passlib.sha512_crypt.using(rounds=5000).hash,
}
BY_CRYPT = ("bcrypt", "sha512")
"""What crypt(3) knows, too."""
BAD = {"mangled": "$argon2id$v=19$m=8192,t=1,p=1$x", "strange": "{SSHA512}AAAA"}
COSTLY = {
    "plus": "$scrypt$ln=14,r=8,p=+20000$c2FsdHNhbHQ$" + 43 * "A",
    "lanes": "$argon2id$v=19$m=262144,t=1,p=4000$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "seven": "$7$J6..../....saltsaltsalt$" + 43 * ".",
    "yes": "$y$jFT$saltsaltsaltsalt$" + 43 * ".",
    "gost": "$gy$jFT$saltsaltsaltsalt$" + 43 * ".",
}
"""Gigabytes, threads by the thousand, or minutes; smtpd itself would compute the last three."""
LOCKED = {"locked": "!", "starred": "*"}
DOVECOT = ("dovecot", "crypt")
"""Users whose hashes have a scheme of Dovecot in front."""


@cache
def hashes() -> dict[str, str]:
    made = {name: hasher(PASSWORD) for name, hasher in HASHERS.items()}
    prefixed = {"dovecot": f"{{ARGON2ID}}{made['argon']}", "crypt": f"{{CRYPT}}{made['sha512']}"}
    return made | prefixed | BAD | COSTLY | LOCKED


def prepare(guide: Guide) -> None:
    etc = guide.view / "etc/mail"
    rows = "".join(f"{user}: {user}:{hashed}\n" for user, hashed in hashes().items())
    (etc / "accounts").write_text("# @auth\n" + rows)
    (etc / "import.conf").write_text(
        "table accounts file:/etc/mail/accounts\nlisten on lo0 smtps pki x auth <accounts>\n"
    )
    moves.operator(guide, "import", "/etc/mail/import.conf", moves.DATABASE)
    moves.readable(guide, "/etc/mail/accounts", moves.DATABASE)
    conf = etc / "accounts.conf"
    queries = conf.read_text().replace("# query_auth ", "query_auth ")
    conf.write_text(queries)
    tables = "table flat flat:/etc/mail/accounts\ntable rows sqlite:/etc/mail/accounts.conf\n"
    text = (etc / "smtpd.conf").read_text().replace("# Blocks junk mail", tables)
    for port, table in (("587 tls-require", "flat"), ("465 smtps", "rows")):
        text = text.replace(f"{port} $required", f"{port} pki example.com auth <{table}>")
    (etc / "smtpd.conf").write_text(text)
    moves.check(guide)


pytestmark = pytest.mark.parametrize("running", setups("auth", prepare), indirect=True, ids=str)


def connect(lab: Lab, port: int) -> smtplib.SMTP:
    if port == 465:
        context = mail.trusting(lab.guide)
        return smtplib.SMTP_SSL(SERVER4, 465, "client.example.net", timeout=60, context=context)
    client = mail.connect(port=port)
    client.starttls(context=mail.trusting(lab.guide))
    return client


def log_in(lab: Lab, port: int, user: str, password: str) -> int:
    """Return the code of the reply to AUTH."""
    client = connect(lab, port)
    try:
        client.ehlo()
        return client.docmd("AUTH PLAIN", mail.plain(user, password))[0]
    finally:
        client.close()


ports = pytest.mark.parametrize("port", [587, 465])


@ports
@pytest.mark.parametrize("user", HASHERS)
def test_the_right_password(lab: Lab, port: int, user: str) -> None:
    known = lab.smtpd == "7.9" or user in BY_CRYPT
    assert log_in(lab, port, user, PASSWORD) == (235 if known else 535)


@ports
def test_users_in_capitals(lab: Lab, port: int) -> None:
    assert log_in(lab, port, "BCrypt", PASSWORD) == 235


@ports
@pytest.mark.parametrize("user", HASHERS)
def test_wrong_passwords(lab: Lab, port: int, user: str) -> None:
    assert log_in(lab, port, user, PASSWORD.lower()) == 535


@pytest.mark.parametrize("password", [PASSWORD + "x", ":" + PASSWORD, "x|found", "x" * 500])
def test_odd_passwords(lab: Lab, password: str) -> None:
    assert log_in(lab, 465, "bcrypt", password) == 535


@ports
@pytest.mark.parametrize("user", ["nobody", *LOCKED, "bcrypt:x", "bcrypt ", "' OR '1'='1", "*"])
def test_users_who_do_not_log_in(lab: Lab, port: int, user: str) -> None:
    assert log_in(lab, port, user, PASSWORD) == 535


@ports
@pytest.mark.parametrize("user", BAD)
def test_hashes_that_nobody_can_check(lab: Lab, port: int, user: str) -> None:
    code = log_in(lab, port, user, PASSWORD)
    assert code == 535 if lab.smtpd == "7.6" else 400 <= code < 500
    assert log_in(lab, port, "bcrypt", PASSWORD) == 235


@ports
@pytest.mark.parametrize("user", DOVECOT)
def test_the_schemes_of_dovecot(lab: Lab, port: int, user: str) -> None:
    assert log_in(lab, port, user, PASSWORD) == (235 if lab.smtpd == "7.9" else 535)
    assert log_in(lab, port, user, PASSWORD.lower()) == 535


@ports
@pytest.mark.parametrize("user", COSTLY)
def test_costly_hashes_are_refused_at_once(lab: Lab, port: int, user: str) -> None:
    if lab.smtpd == "7.6":
        pytest.skip("without auth, smtpd computes the hash")
    before = len(lab.log)
    for _ in range(3):
        assert 400 <= log_in(lab, port, user, PASSWORD) < 500
    assert log_in(lab, port, "bcrypt", PASSWORD) == 235
    logged = lab.log[before:]
    assert logged.count(f'reason="{user}: cannot check a') == 3
    assert "HandlerTimeout" not in logged
    assert max(map(threads, lab.server.plugins())) < 10


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_mail_of_one_who_has_logged_in(lab: Lab) -> None:
    for port in (587, 465):
        client = connect(lab, port)
        client.ehlo()
        assert client.docmd("AUTH PLAIN", mail.plain("sha512", PASSWORD))[0] == 235
        message = mail.compose("a@example.net", "alice@example.com", "logged in")
        assert mail.send(client, "a@example.net", "alice@example.com", message)[0] == 250
        client.quit()
        assert lab.inbox.one().folder == "inbox"


def test_auth_is_registered_where_it_is_of_use(lab: Lab) -> None:
    refusals = lab.log.count("auth-refused")
    assert refusals == (2 if lab.smtpd == "7.6" else 0)


@ports
def test_no_secret_in_the_log(lab: Lab, port: int) -> None:
    for user in ("argon", "sha512"):
        log_in(lab, port, user, PASSWORD)
    log_in(lab, port, "bcrypt", "another secret")
    log_in(lab, port, "mangled", PASSWORD)
    secrets = [PASSWORD, PASSWORD.lower(), "another secret", mail.plain("argon", PASSWORD)]
    secrets += [hashed for hashed in hashes().values() if len(hashed) > 1]
    secrets += [hashes()[user].rpartition("$")[2] for user in HASHERS]
    for secret in secrets:
        assert secret not in lab.log


@ports
@pytest.mark.parametrize("request_", ["check|credentials|deadbeef|x", "update|deadbeef"])
def test_a_request_in_a_user_name(lab: Lab, port: int, request_: str) -> None:
    """smtpd before 7.9 sends such a name as it is, and an answer too many would be its end."""
    table = {587: "flat", 465: "rows"}[port]
    forged = f"bcrypt\ntable|0.1|1795335705.127288|{table}|{request_}"
    assert log_in(lab, port, forged, PASSWORD) == (535 if lab.smtpd == "7.6" else 501)
    assert log_in(lab, port, "bcrypt", PASSWORD) == 235
