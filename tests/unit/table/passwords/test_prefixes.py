"""The schemes in braces in front of Dovecot's hashes."""

import pytest

from opensmtpd.table.passwords import prefixes


@pytest.mark.parametrize(
    ("hash", "wanted"),
    [
        ("{CRYPT}$6$salt$hash", ("CRYPT", "$6$salt$hash")),
        ("{crypt}abNANd1rDfiNc", ("CRYPT", "abNANd1rDfiNc")),
        ("{BLF-CRYPT}$2y$05$a", ("BLF-CRYPT", "$2y$05$a")),
        ("{Sha256-Crypt}$5$a", ("SHA256-CRYPT", "$5$a")),
        ("{SHA512-CRYPT}$6$a", ("SHA512-CRYPT", "$6$a")),
        ("{MD5-CRYPT}$1$a", ("MD5-CRYPT", "$1$a")),
        ("{ARGON2ID}$argon2id$a", ("ARGON2ID", "$argon2id$a")),
        ("{ARGON2I}$argon2i$a", ("ARGON2I", "$argon2i$a")),
        ("{ARGON2I}$argon2id$a", ("", "{ARGON2I}$argon2id$a")),
        ("{SHA512-CRYPT}$5$a", ("", "{SHA512-CRYPT}$5$a")),
        ("{SHA512-CRYPT.HEX}2436", ("", "{SHA512-CRYPT.HEX}2436")),
        ("{PLAIN}secret", ("", "{PLAIN}secret")),
        ("{CRYPT", ("", "{CRYPT")),
        ("x{CRYPT}$6$a", ("", "x{CRYPT}$6$a")),
        ("", ("", "")),
    ],
)
def test_schemes(hash: str, wanted: tuple[str, str]) -> None:
    assert prefixes.split(hash) == wanted
