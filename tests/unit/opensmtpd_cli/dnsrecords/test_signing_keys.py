"""The keys that filter-dkimsign signs with, by the words of its command."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.key import ED25519, RSA
from opensmtpd_cli.dnsrecords import signing_keys
from opensmtpd_cli.dnsrecords.signing_keys import SigningFlags, flags_of
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from unit.support.dkim_material import ED25519_PEM, RSA_PEM


def entry(command: str, chroot: str = "") -> FilterEntry:
    return FilterEntry("sign", command, "_dkimsign", "_dkimsign", chroot)


def test_the_flags_of_a_line() -> None:
    command = (
        "/usr/libexec/opensmtpd/filter-dkimsign -tz -n --deadline 30 -D list -d a.example"
        " --domain=b.example -s 'mail' -k keys/mail.key -c relaxed/relaxed -h from:to -u skip"
    )
    assert flags_of(entry(command)) == SigningFlags(
        ("a.example", "b.example"), ("/list",), "mail", "/keys/mail.key", None, "", True, False
    )
    assert flags_of(entry("filter-dkimsign -f /etc/mail/dkim/keytable")) == SigningFlags(
        (), (), "", "", None, "/etc/mail/dkim/keytable", False, False
    )
    assert flags_of(entry("filter-dkimsign -AS -f table")) == SigningFlags(
        (), (), "", "", None, "/table", False, True
    )
    recorded = "filter-record --no-bodies /c -- filter-dkimsign -d a.example -s '#1' -k key"
    assert flags_of(entry(recorded)) == SigningFlags(
        ("a.example",), (), "#1", "/key", None, "", False, False
    )


@pytest.mark.parametrize("command", ["filter-rspamd", "", "'", "my-filter-dkimsign -d a.example"])
def test_other_programs_sign_with_nothing_that_is_known(command: str) -> None:
    assert flags_of(entry(command)) is None


@pytest.mark.parametrize(
    ("command", "chroot", "fault"),
    [
        ("filter-dkimsign -a rsa-sha1", "", "does not understand its flags"),
        ("filter-dkimsign -f table -s mail", "", "-f does not go with"),
        ("filter-dkimsign -d `hostname` -s mail -k key", "", "made by the shell"),
        ("filter-dkimsign -d $DOMAIN -s mail -k key", "", "made by the shell"),
        ("filter-dkimsign -f table", "/var/empty", "chroot"),
    ],
)
def test_what_cannot_be_known(command: str, chroot: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        flags_of(entry(command, chroot))


def test_the_keys_of_flags(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(RSA_PEM)
    domains = tmp_path / "domains"
    domains.write_text("# more\nb.example\nA.example\n")
    flags = SigningFlags(("a.example",), (str(domains),), "mail", str(key), None, "", False, False)
    found = signing_keys.of_flags(flags)
    assert [(each.domain, each.selector, each.file) for each in found] == [
        ("a.example", "mail", str(key)),
        ("b.example", "mail", str(key)),
    ]
    for each in found:
        assert not isinstance(each.key, ConfigError)
        assert each.key.algorithm == RSA
    with pytest.raises(ConfigError, match="nothing to sign with"):
        signing_keys.of_flags(flags._replace(key=""))


def test_the_keys_of_a_table_and_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ed").write_text(ED25519_PEM)
    (tmp_path / "none").write_text("hello\n")
    table = tmp_path / "table"
    table.write_text("a.example ed ed\n# none\nb.example mail none\nc.example mail gone\n")
    first, second, third = signing_keys.of_table(str(table))
    assert not isinstance(first.key, ConfigError)
    assert first.key.algorithm == ED25519
    assert first.place == (str(table), 1)
    assert (second.place, second.file) == ((str(table), 3), str(tmp_path / "none"))
    assert isinstance(second.key, ConfigError)
    assert second.key.message == "not a key in PEM"
    assert isinstance(third.key, ConfigError)
