"""Warn of rows that can never match, and of those that mean something else than they seem to.

Each judge takes the key and the value of a row, and returns a warning: what stands there, what
smtpd does with it, and what to write instead; "" where all is well. No warning holds anything of a
password or a hash. What smtpd does was seen on 7.6 and 7.9 (``test_useless_rows.py``).
"""

import re
from collections.abc import Callable, Iterable

from opensmtpd.table import Service, passwords
from opensmtpd_cli.plugin import table_values
from opensmtpd_cli.smtpdconf.table_uses import Use

Judge = Callable[[str, str], str]

_BOM = "\ufeff"
_SCHEME = re.compile(r"\{([A-Za-z0-9-]{1,40})(\.[A-Za-z0-9]{1,40})?\}")
_SCHEMES = frozenset(
    [
        *("ARGON2I", "ARGON2ID", "BLF-CRYPT", "CLEAR", "CLEARTEXT", "CRAM-MD5", "CRYPT"),
        *("DES-CRYPT", "DIGEST-MD5", "HMAC-MD5", "LANMAN", "LDAP-MD5", "MD5", "MD5-CRYPT", "NTLM"),
        *("OTP", "PBKDF2", "PLAIN", "PLAIN-MD5", "PLAIN-TRUNC", "RPA", "SCRAM-SHA-1"),
        *("SCRAM-SHA-256", "SHA", "SHA1", "SHA256", "SHA256-CRYPT", "SHA512", "SHA512-CRYPT"),
        *("SKEY", "SMD5", "SSHA", "SSHA256", "SSHA512"),
    ]
)
"""The schemes of Dovecot. Other words in braces may be the beginning of a password."""
_DOMAIN = re.compile(
    r"(?:[a-z0-9-]{1,63}\.)+(?:[a-z]{2}|com|net|org|edu|gov|mil|int|biz|info|name|example|test)"
)
"""Names that users hardly have."""
_NEW_HASH = "write what 'smtpctl encrypt' makes"
_OURS = "have table-sqlite check passwords by query_auth (smtpd 7.9)"


def judges(uses: Iterable[Use]) -> list[Judge]:
    """Return the judges of a table's rows, by the uses that smtpd.conf makes of the table."""
    found: list[Judge] = [mark]
    for use in uses:
        found += _BY_WORDS.get(use.words, ())
        if Service.MAILADDR in use.services:
            found.append(address)
    return list(dict.fromkeys(found))


def mark(key: str, _value: str) -> str:
    """Judge the first key of a file, which may have a byte order mark in front."""
    if not key.startswith(_BOM):
        return ""
    return (
        f"{key.lstrip(_BOM)}: a byte order mark (BOM) stands before it and is a part of the key:"
        " smtpd never finds this row; save the file without a mark"
    )


def login(key: str, value: str) -> str:
    """Judge ``user:hash``, or ``hash``, of users who log in. smtpd asks crypt(3)."""
    fault = _login_fault(value)
    return f"{key}: {fault[0]}: nobody can log in; {fault[1]}" if fault else ""


def _login_fault(value: str) -> tuple[str, str] | None:
    """Return the fault of a hash and its remedy, None where there is no fault."""
    first, colon, hash = value.partition(":")
    if colon and _is_hash(first):
        return "colons stand behind the hash and are a part of it", "remove them"
    hash = hash if colon else first
    if ":" in hash:
        return "more fields stand behind the hash and are a part of it", "remove them"
    words = hash.split(maxsplit=1)
    if not words:
        return "no hash stands behind the colon", _NEW_HASH
    if len(words) > 1 and _is_hash(words[0]):
        what = "the text behind the hash is a part of it, for only whole lines are comments"
        return what, "remove it"
    scheme = _SCHEME.match(hash)
    if scheme:
        return _braces(scheme[1], hash)
    return _hash_fault(hash)


def _is_hash(text: str) -> bool:
    found = passwords.inspect(text)
    return found.scheme not in ("", "unknown", "DES")  # many a word has as many letters as DES


def _braces(scheme: str, hash: str) -> tuple[str, str]:
    """Judge a hash with a scheme of Dovecot in front."""
    bare = passwords.bare(hash)
    if bare == hash:
        named = f"{{{scheme}}}" if scheme.upper() in _SCHEMES else "what stands in braces"
        return f"{named} is no scheme that smtpd or our tables can check", _NEW_HASH
    remedy = f"remove {{{scheme}}}, or {_OURS}"
    return f"smtpd does not know {{{scheme}}}, and takes it for a part of the hash", remedy


def _hash_fault(hash: str) -> tuple[str, str] | None:
    found = passwords.inspect(hash)
    if found.scheme == "unknown":
        return "the password is no hash, to which smtpd compares it", _NEW_HASH
    if found.fault == "it is malformed":
        return f"{found.named()} hash that is damaged", _NEW_HASH
    if found.fault:
        what = f"{found.named()} hash that asks for too much memory or time; our tables refuse it"
        return f"{what}, and smtpd takes no mail while it computes it", _NEW_HASH
    if not found.by_crypt:
        what = f"{found.named()} hash, which smtpd cannot check itself"
        return what, _OURS
    return None


def alias_key(key: str, _value: str) -> str:
    """Judge the key of a row for ``alias``."""
    local, at, _ = key.partition("@")
    if not at:
        return ""
    remedy = f"write {local}, or" if local else "for addresses"
    return (
        f"{key}: smtpd asks an alias table for users, without @ and domain, and never finds this"
        f' row; {remedy} use the table for "virtual"'
    )


def virtual_key(key: str, _value: str) -> str:
    """Judge the key of a row for ``virtual``."""
    local, at, domain = key.rpartition("@")
    if at and "*" in domain:
        remedy = "write a row for each domain, or @ for all of them"
        return f"{key}: a * is no pattern in an alias, and smtpd never finds this row; {remedy}"
    if at and local == "*":
        remedy = f"write @{domain}"
        return f"{key}: the * stands for itself, and not for all users; {remedy}"
    if not at and _DOMAIN.fullmatch(key):
        return (
            f"{key}: smtpd takes it for the name of a user, in any domain; for all users of the"
            f" domain write @{key}"
        )
    return ""


def address(key: str, _value: str) -> str:
    """Judge a mail address that others are compared with."""
    local, at, domain = key.rpartition("@")
    if not at or "*" not in local:
        return ""
    remedy = f"write @{domain}" if local == "*" else "use a regex table for this"
    return f"{key}: a * before the @ stands for itself, and matches no other user; {remedy}"


def error_text(key: str, value: str) -> str:
    """Judge the text of an error in an alias."""
    try:
        found = table_values.alias(value)
    except ValueError:
        return ""
    if len(found) < 2 or all(one.kind != "error" for one in found):
        return ""
    return (
        f"{key}: the text of the error ends at the comma, and what follows are further recipients;"
        r" write \, for a comma in the text"
    )


_BY_WORDS: dict[str, tuple[Judge, ...]] = {
    "listen auth": (login,),
    "listen auth-optional": (login,),
    "action alias": (alias_key, error_text),
    "action virtual": (virtual_key, error_text),
}
"""By ``Use.words``. A relay's credentials (``action auth``) are passwords, and no hashes."""
