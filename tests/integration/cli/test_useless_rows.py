"""Rows that never match, or mean something else than they seem to: what smtpd does with them."""

import pytest

from lab.peers import mail
from lab.root import inside
from lab.shows import moves
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, setups

COMMA = (
    "the text of the error ends at the comma, and what follows are further recipients; write \\,"
    " for a comma in the text"
)
USERS = (
    *("right", "named", "crypt", "sha", "colons", "passwd", "comment", "plain", "plains"),
    *("argon", "damaged"),
)
FILES = {
    "aliases": (
        "\ufeffbom: error:550 bom\n"
        "alice: alice\nusername: username\n"
        "alice@example.com: error:550 address\n"
        "@example.com: error:550 domain\n"
        "gone: error:550 gone, sorry\n"
        "left: error:550 gone, alice\n"
        "escaped: error:550 gone\\, sorry\n"
    ),
    "virtuals": (
        "known@virt.example: error:550 known\n"
        "*@virt.example: error:550 star\n"
        "virt.example: error:550 bare\n"
        "@*.virt.example: error:550 pattern\n"
    ),
    "blocked": "*@bad.example\n@worse.example\n",
    "accounts": (
        "right: {hash}\nnamed: alice:{hash}\n"
        "crypt: {{CRYPT}}{hash}\nsha: {{SHA512-CRYPT}}{hash}\n"
        "colons: {hash}::::::\npasswd: passwd:{hash}:1000:1000::/home/alice:\n"
        "comment: {hash} # of Alice\nplain: correcthorse\nplains: plains:correcthorse\n"
        "argon: $argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA\n"
        "damaged: $6$saltsalt$aGFzaA\n"
    ),
}
RULES = (
    'action "virtual" maildir virtual <virtuals>\n'
    "match from any mail-from <blocked> for any reject\n"
    'match from any for domain { "virt.example", "*.virt.example" } action "virtual"\n'
)


def prepare(guide: Guide) -> None:
    etc = guide.view / "etc/mail"
    shadow = (guide.view / "etc/shadow").read_text().splitlines()
    (hash,) = [line.split(":")[1] for line in shadow if line.startswith("alice:")]
    for name, text in FILES.items():
        (etc / name).write_text(text.format(hash=hash) if name == "accounts" else text)
    moves.readable(guide, *(f"/etc/mail/{name}" for name in FILES))
    text = (etc / "smtpd.conf").read_text()
    tables = "".join(f"table {name} file:/etc/mail/{name}\n" for name in FILES if name != "aliases")
    text = text.replace("# Blocks junk mail", tables).replace("# rules", f"# rules\n{RULES}")
    text = text.replace(
        "587 tls-require $required", "587 tls-require pki example.com auth <accounts>"
    )
    (etc / "smtpd.conf").write_text(text)
    moves.check(guide)


pytestmark = pytest.mark.parametrize("running", setups("useless", prepare), indirect=True, ids=str)


@pytest.fixture(scope="session")
def warned(running: Lab) -> list[str]:
    """Return the warnings of import about these tables."""
    ended = inside.tried(
        running.guide.view, "opensmtpd-plugins", "import", moves.CONF, "/etc/mail/new.sqlite"
    )
    assert ended.returncode == 0
    text = ended.stderr.decode()
    assert "$6$" not in text
    assert PASSWORD not in text
    return [line for line in text.splitlines() if "warning" in line]


def warning(warned: list[str], name: str, line: int) -> str:
    """Return the warning of a row, without its place."""
    place = f"/etc/mail/{name}:{line}: warning: "
    (found,) = [text for text in warned if text.startswith(place)]
    return found.removeprefix(place)


def rcpt(sender: str, recipient: str) -> tuple[int, str]:
    """Return the reply to RCPT; the transaction is given up."""
    client = mail.connect()
    try:
        client.mail(sender)
        code, text = client.rcpt(recipient)
        return code, text.decode().partition(": <")[0]
    finally:
        client.close()


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("bom@example.com", (550, "Invalid recipient")),
        ("alice@example.com", (250, "2.1.5 Destination address valid: Recipient ok")),
        ("other@example.com", (550, "Invalid recipient")),
        ("gone@example.com", (550, "Invalid recipient")),  # that is "sorry"
        ("left@example.com", (550, "gone")),
        ("escaped@example.com", (550, "gone, sorry")),
        ("known@virt.example", (550, "known")),
        ("x@virt.example", (524, "5.2.4 Mailing list expansion problem")),
        ("*@virt.example", (550, "star")),
        ("virt.example@virt.example", (550, "bare")),
        ("x@a.virt.example", (524, "5.2.4 Mailing list expansion problem")),
    ],
)
def test_aliases(lab: Lab, recipient: str, reply: tuple[int, str]) -> None:
    assert rcpt("a@example.net", recipient) == reply


@pytest.mark.parametrize(
    ("sender", "code"), [("x@bad.example", 250), ("*@bad.example", 550), ("x@worse.example", 550)]
)
def test_addresses(lab: Lab, sender: str, code: int) -> None:
    assert rcpt(sender, "alice@example.com")[0] == code


@pytest.mark.parametrize("user", USERS)
def test_logins(lab: Lab, user: str) -> None:
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(lab.guide))
    client.ehlo()
    code, _ = client.docmd("AUTH PLAIN", mail.plain(user, PASSWORD))
    client.close()
    assert code == (235 if user in ("right", "named") else 535)


ALIAS = "smtpd asks an alias table for users, without @ and domain, and never finds this row"
WARNINGS = {
    ("aliases", 1): "bom: a byte order mark (BOM) stands before it and is a part of the key: smtpd"
    " never finds this row; save the file without a mark",
    ("aliases", 4): f'alice@example.com: {ALIAS}; write alice, or use the table for "virtual"',
    ("aliases", 5): f'@example.com: {ALIAS}; for addresses use the table for "virtual"',
    ("aliases", 6): f"gone: {COMMA}",
    ("aliases", 7): f"left: {COMMA}",
    ("virtuals", 2): "*@virt.example: the * stands for itself, and not for all users; write"
    " @virt.example",
    ("virtuals", 3): "virt.example: smtpd takes it for the name of a user, in any domain; for all"
    " users of the domain write @virt.example",
    ("virtuals", 4): "@*.virt.example: a * is no pattern in an alias, and smtpd never finds this"
    " row; write a row for each domain, or @ for all of them",
    ("blocked", 1): "*@bad.example: a * before the @ stands for itself, and matches no other user;"
    " write @bad.example",
}


def test_import_warns_of_them(warned: list[str]) -> None:
    for (name, line), text in WARNINGS.items():
        assert warning(warned, name, line) == text
    for line, user in enumerate(USERS, 1):
        if user not in ("right", "named"):
            text = warning(warned, "accounts", line)
            assert text.startswith(f"{user}: ")
            assert ": nobody can log in; " in text
    assert "; remove {CRYPT}, or have table-sqlite check" in warning(warned, "accounts", 3)
    assert len(warned) == len(WARNINGS) + len(USERS) - 2
