"""Password hashes: check them, and make them as ``smtpctl encrypt`` does.

argon2 needs argon2-cffi, bcrypt the package of that name, scrypt (``$scrypt$``) an OpenSSL that has
it, SHA-crypt (``$5$`` and ``$6$``) libpass or passlib where crypt(3) lacks it. Without these, and
for every other known kind, crypt(3) of this system is asked, as smtpd does. ``prepare`` loads them
all. A hash of a kind that is not known, whose parameters are not written as they should be, or that
asks for too much memory or time is refused before anything is computed.

A table that serves ``auth`` computes nothing itself: a worker does, which ``checks`` starts. So
the libraries are loaded when a function first needs them, and by nothing that such a table calls.

Passwords are str with ``surrogateescape``, as they come from smtpd. No text of an error holds
anything of a hash or a password.
"""

from opensmtpd.table.passwords.inspection import (
    PASSWORD_MAX,
    Inspection,
    bare,
    check_rows,
    inspect,
)

__all__ = [
    "PASSWORD_MAX",
    "Inspection",
    "bare",
    "check_rows",
    "encrypt",
    "inspect",
    "prepare",
    "verify",
]


def verify(password: str, hash: str | None, user: str = "") -> bool:
    """Return whether ``hash`` is one of ``password``; computed here, in this process.

    It takes as long without a hash (None: there is no such user).

    Locked accounts (``*``, ``!``, ``x`` or nothing where the hash belongs) never match, nor do
    passwords with a NUL or of more than PASSWORD_MAX bytes. A scheme in braces in front of the hash
    is passed over (``bare``). Raises LocalError, which names the user, for a hash that is
    malformed, of a kind that cannot be checked here, or that asks for too much memory or time.
    """
    from opensmtpd.table.passwords import verification  # noqa: PLC0415  see above

    return verification.verify(password, hash, user)


def encrypt(password: str) -> str:
    """Return a hash, of the kind that ``smtpctl encrypt`` would choose on this system.

    Raises LocalError for a password that ``verify`` would never accept, and where nothing can make
    a hash.
    """
    from opensmtpd.table.passwords import verification  # noqa: PLC0415  see above

    return verification.encrypt(password)


def prepare() -> None:
    """Load whatever checks hashes in this process, for a program that calls ``verify`` later on.

    What is loaded later may be gone by then, with an upgrade, say. A table that serves ``auth``
    needs no call: its worker does this.
    """
    from opensmtpd.table.passwords import verification  # noqa: PLC0415  see above

    verification.prepare()
