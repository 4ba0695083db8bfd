"""Warnings of rows: which rows get one, what it says, and what it never holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd_cli.plugin import row_warnings
from opensmtpd_cli.smtpdconf.table_uses import USES

HASH = "$6$saltsalt$" + 86 * "Z"
ARGON = "$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"
COSTLY = "$y$jFT$saltsaltsaltsalt$" + 43 * "Z"

BEHIND = "colons stand behind the hash and are a part of it: nobody can log in; remove them"
FIELDS = "more fields stand behind the hash and are a part of it: nobody can log in; remove them"
COMMENT = (
    "the text behind the hash is a part of it, for only whole lines are comments: nobody can log"
    " in; remove it"
)
CLEAR = (
    "the password is no hash, to which smtpd compares it: nobody can log in; write what"
    " 'smtpctl encrypt' makes"
)
EMPTY = "no hash stands behind the colon: nobody can log in; write what 'smtpctl encrypt' makes"
OURS = "have table-sqlite check passwords by query_auth (smtpd 7.9)"


@pytest.mark.parametrize(
    ("value", "warning"),
    [
        (HASH, ""),
        (f"alice:{HASH}", ""),
        ("alice:*", ""),
        ("!", ""),
        ("abNANd1rDfiNc", ""),
        (f"{HASH}::::::", BEHIND),
        (f"alice:{HASH}::::::", FIELDS),
        (f"alice:{HASH}:1000:1000::/home/alice:", FIELDS),
        (f"{{CRYPT}}{HASH}::::::", BEHIND),
        (f"{HASH} # of Alice", COMMENT),
        (f"alice:{HASH}\t# of Alice", COMMENT),
        ("correcthorse", CLEAR),
        ("alice:correct horse", CLEAR),
        (
            f"{{CRYPT}}{HASH}",
            "smtpd does not know {CRYPT}, and takes it for a part of the hash: nobody can log in;"
            f" remove {{CRYPT}}, or {OURS}",
        ),
        (
            f"alice:{{Sha512-Crypt}}{HASH}",
            "smtpd does not know {Sha512-Crypt}, and takes it for a part of the hash: nobody can"
            f" log in; remove {{Sha512-Crypt}}, or {OURS}",
        ),
        (
            "{SSHA512}AAAA",
            "{SSHA512} is no scheme that smtpd or our tables can check: nobody can log in; write"
            " what 'smtpctl encrypt' makes",
        ),
        (
            "{ssha.b64}AAAA",
            "{ssha} is no scheme that smtpd or our tables can check: nobody can log in; write"
            " what 'smtpctl encrypt' makes",
        ),
        (
            "{correcthorse}battery",
            "what stands in braces is no scheme that smtpd or our tables can check: nobody can log"
            " in; write what 'smtpctl encrypt' makes",
        ),
        (
            "{PLAIN}correcthorse",
            "{PLAIN} is no scheme that smtpd or our tables can check: nobody can log in; write"
            " what 'smtpctl encrypt' makes",
        ),
        (
            HASH[:-1],
            "a SHA-512-crypt hash that is damaged: nobody can log in; write what 'smtpctl encrypt'"
            " makes",
        ),
        (
            COSTLY,
            "a yescrypt hash that asks for too much memory or time; our tables refuse it, and"
            " smtpd takes no mail while it computes it: nobody can log in; write what 'smtpctl"
            " encrypt' makes",
        ),
        (
            ARGON,
            f"an argon2id hash, which smtpd cannot check itself: nobody can log in; {OURS}",
        ),
        ("alice:", EMPTY),
        ("alice: ", EMPTY),
    ],
)
def test_logins(value: str, warning: str) -> None:
    found = row_warnings.login("alice", value)
    assert found == (f"alice: {warning}" if warning else "")
    for secret in (HASH, HASH[12:], ARGON[-10:], COSTLY[-20:], "correct", "AAAA"):
        assert secret not in found


@given(st.sampled_from([HASH, ARGON, COSTLY, "s3cret"]), st.text(max_size=20), st.text(max_size=20))
def test_no_warning_holds_a_hash(hash: str, before: str, behind: str) -> None:
    assert hash[-6:] not in row_warnings.login("alice", before + hash + behind)


ALIAS = "smtpd asks an alias table for users, without @ and domain, and never finds this row"


@pytest.mark.parametrize(
    ("key", "warning"),
    [
        ("alice", ""),
        ("john.doe", ""),
        ("alice@example.org", f'{ALIAS}; write alice, or use the table for "virtual"'),
        ("@example.org", f'{ALIAS}; for addresses use the table for "virtual"'),
        ("@", f'{ALIAS}; for addresses use the table for "virtual"'),
    ],
)
def test_keys_of_aliases(key: str, warning: str) -> None:
    assert row_warnings.alias_key(key, "x") == (f"{key}: {warning}" if warning else "")


@pytest.mark.parametrize(
    ("key", "warning"),
    [
        ("alice", ""),
        ("john.doe", ""),
        ("alice@example.org", ""),
        ("@example.org", ""),
        ("@", ""),
        ("sales*@example.org", ""),
        (
            "*@example.org",
            "the * stands for itself, and not for all users; write @example.org",
        ),
        (
            "@*.example.org",
            "a * is no pattern in an alias, and smtpd never finds this row; write a row for each"
            " domain, or @ for all of them",
        ),
        (
            "mail.example.org",
            "smtpd takes it for the name of a user, in any domain; for all users of the domain"
            " write @mail.example.org",
        ),
    ],
)
def test_keys_of_virtuals(key: str, warning: str) -> None:
    assert row_warnings.virtual_key(key, "x") == (f"{key}: {warning}" if warning else "")


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("alice@example.org", ""),
        ("@*.example.org", ""),
        ("*.example.org", ""),
        ("*@example.org", "write @example.org"),
        ("*@*.example.org", "write @*.example.org"),
        ("sales*@example.org", "use a regex table for this"),
    ],
)
def test_addresses(key: str, remedy: str) -> None:
    warning = f"{key}: a * before the @ stands for itself, and matches no other user; {remedy}"
    assert row_warnings.address(key, "") == (warning if remedy else "")


@pytest.mark.parametrize(
    ("value", "warned"),
    [
        ("error:550 gone", False),
        ("error:550 gone\\, sorry", False),
        ("alice, bob", False),
        ('"', False),
        ("error:550 gone, sorry", True),
        (":error:550 gone, sorry", True),
        ("alice, error:550 gone", True),
    ],
)
def test_texts_of_errors(value: str, warned: bool) -> None:
    warning = (
        "bob: the text of the error ends at the comma, and what follows are further recipients;"
        " write \\, for a comma in the text"
    )
    assert row_warnings.error_text("bob", value) == (warning if warned else "")


def test_a_byte_order_mark() -> None:
    assert row_warnings.mark("alice\ufeff", "") == ""
    assert row_warnings.mark("\ufeffalice", "") == (
        "alice: a byte order mark (BOM) stands before it and is a part of the key: smtpd never"
        " finds this row; save the file without a mark"
    )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["mark"]),
        (("listen auth", "listen auth-optional"), ["mark", "login"]),
        (("action auth",), ["mark"]),  # a relay wants the password itself
        (("action alias",), ["mark", "alias_key", "error_text"]),
        (("action virtual",), ["mark", "virtual_key", "error_text"]),
        (("match mail-from", "filter rcpt-to", "match auth"), ["mark", "address"]),
        (("match domain", "listen senders", "action userbase"), ["mark"]),
    ],
)
def test_the_judges_of_a_table(words: tuple[str, ...], found: list[str]) -> None:
    judges = row_warnings.judges(USES[word] for word in words)
    assert [judge.__name__ for judge in judges] == found
