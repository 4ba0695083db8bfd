"""The keys of flags, domain files and key tables, and their names."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.key import Key
from opensmtpd.mail.dkim.keys.load import load
from opensmtpd.mail.dkim.keys.named_keys import (
    NamedKey,
    domain_file,
    key_table,
    one_key,
    warnings,
)
from unit.support.dkim_material import ED25519_PEM, RSA_PEM

KEY = Key(b"id", "rsa-sha256", lambda digest: digest, (), b"public")


def names(keys: Iterable[NamedKey]) -> list[tuple[str, str]]:
    return [(one.domain, one.selector) for one in keys]


def test_a_domain_given_twice_counts_once() -> None:
    assert names(one_key(["A.example", "a.example"], "mail", KEY)) == [("A.example", "mail")]


def test_names_that_spoil_a_signature() -> None:
    with pytest.raises(ConfigError, match=r"^'a;b' is no domain; use letters, "):
        one_key(["a.example", "a;b"], "mail", KEY)
    with pytest.raises(ConfigError, match=r"^'m m' is no selector; use letters, "):
        one_key(["a.example"], "m m", KEY)


def test_a_selector_that_makes_the_name_too_long() -> None:
    """A name in the DNS has 253 bytes, "._domainkey." among them."""
    domain = ".".join(["x" * 59] * 3) + ".example"
    selector = "s" * 27 + "." + "s" * 26
    assert names(one_key([domain], selector, KEY)) == [(domain, selector)]
    with pytest.raises(ConfigError) as caught:
        one_key(["a.example", domain], selector + "s", KEY)
    assert str(caught.value) == (
        f"{selector}s._domainkey.{domain} has 254 bytes, and a name in the DNS 253 at most;"
        " choose a shorter selector"
    )


def test_warnings_about_names_and_keys_come_once_each() -> None:
    weak = KEY._replace(warnings=("weak",))
    found = one_key(["a_b.example", "local"], "a_b", weak)
    assert warnings(found) == [
        "selector a_b: RFC 6376 section 3.1 allows no underscore; choose another",
        "domain a_b.example: RFC 6376 section 3.5 allows no underscore; check the name",
        "weak",
        "domain local: RFC 6376 section 3.5 wants a dot in it; give the whole name",
    ]
    assert warnings(one_key(["a.example"], "mail.2026", KEY)) == []


def test_a_name_in_another_script_becomes_an_a_label() -> None:
    found = one_key(["B\u00dcCHER.example", "xn--bcher-kva.example", "A.example"], "\u00fc", KEY)
    assert names(found) == [("xn--bcher-kva.example", "xn--tda"), ("A.example", "xn--tda")]


# --- domain files -------------------------------------------------------------------------------


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def test_domain_file(tmp_path: Path) -> None:
    path = write(tmp_path, "domains", "# ours\nb.example\n\n  a.example  \r\n#c.example\nd.example")
    assert domain_file(path) == ["b.example", "a.example", "d.example"]
    path = write(tmp_path, "domains", "B\u00dcCHER.example\nxn--tda.example\n")
    assert domain_file(path) == ["xn--bcher-kva.example", "xn--tda.example"]


def test_domain_file_errors_name_the_line_but_not_what_it_says(tmp_path: Path) -> None:
    path = write(tmp_path, "domains", "a.example\n" + RSA_PEM.splitlines()[1])
    with pytest.raises(ConfigError) as caught:
        domain_file(path)
    assert str(caught.value).startswith(f"{path}:2: not a domain; ")
    assert RSA_PEM.splitlines()[1][:8] not in str(caught.value)


def test_domain_file_that_is_not_there(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot read it: No such file or directory"):
        domain_file(path)


def test_domain_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "domains"
    path.write_bytes(b"a.example\n\xff\xfe\n")
    with pytest.raises(ConfigError, match="domains:2: not text in UTF-8; save it as text in "):
        domain_file(str(path))


def test_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "domains"
    path.write_text("a.example\n", encoding="utf-8-sig")
    with pytest.raises(ConfigError, match="domains:1: a byte order mark; save it as text in UTF-8"):
        domain_file(str(path))


# --- key tables ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "rsa.key", RSA_PEM)
    write(tmp_path, "ed.key", ED25519_PEM)
    return tmp_path


def test_key_table(folder: Path) -> None:
    path = write(
        folder,
        "table",
        "# domain selector key\n\n"
        "a.example  mail  rsa.key\n"
        f"\ta.example\ted {folder}/ed.key  ed25519-sha256 \n"
        "B.example mail rsa.key rsa-sha256\r\n"
        "  # the end",
    )
    found = key_table(path)
    assert names(found) == [("a.example", "mail"), ("a.example", "ed"), ("B.example", "mail")]
    assert [one.key.algorithm for one in found] == ["rsa-sha256", "ed25519-sha256", "rsa-sha256"]


def test_a_key_table_in_another_script(folder: Path) -> None:
    path = write(folder, "table", "bu\u0308cher.example mail rsa.key\n\u00fc.example mail ed.key\n")
    found = key_table(path)
    assert names(found) == [("xn--bcher-kva.example", "mail"), ("xn--tda.example", "mail")]
    both = "b\u00fccher.example mail rsa.key\nxn--bcher-kva.example MAIL ed.key\n"
    with pytest.raises(ConfigError, match=r"table:2: MAIL\._domainkey\.xn--bcher-kva\.example "):
        key_table(write(folder, "table", both))


def test_a_key_is_read_once(folder: Path) -> None:
    found = key_table(write(folder, "table", "a.example m rsa.key\nb.example m rsa.key\n"))
    one, other = found
    assert one.key is other.key


def test_relative_to_the_table_wherever_we_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "table", "a.example mail ./rsa.key\n")
    monkeypatch.chdir(folder)
    assert names(key_table("table")) == [("a.example", "mail")]
    monkeypatch.chdir("/")
    assert names(key_table(str(folder / "table"))) == [("a.example", "mail")]


FORM = "write lines of the form: domain selector keyfile [algorithm]"
LONG = ".".join(["x" * 60] * 4)
NAME = "use letters, digits, hyphens and dots (names in other scripts as xn--…)"


@pytest.mark.parametrize(
    ("text", "line", "message", "remedy"),
    [
        ("", None, "no key in the key table", FORM),
        ("# nothing\n\n", None, "no key in the key table", FORM),
        ("a.example mail rsa.key\na.example mail\n", 2, "2 words where 3 or 4 belong", FORM),
        ("\na.example mail rsa.key rsa-sha256 x", 2, "5 words where 3 or 4 belong", FORM),
        ("a;example mail rsa.key", 1, "not a domain", NAME),
        ("a.example m;ail rsa.key", 1, "not a selector", NAME),
        ("a.example. mail rsa.key", 1, "not a domain: a dot at its end", "leave that dot out"),
        (
            f"a.example {'s' * 64} rsa.key",
            1,
            "not a selector: 64 bytes between two dots, of 63 at most",
            "choose a shorter one",
        ),
        (
            f"{LONG} mail rsa.key",
            1,
            f"mail._domainkey.{LONG} has 259 bytes, and a name in the DNS 253 at most",
            "choose a shorter selector",
        ),
        ("a.example mail rsa\0.key", 1, "a NUL byte", "remove it"),
        (
            "a.example mail rsa.key rsa-sha1",
            1,
            "unknown algorithm",
            "use rsa-sha256 or ed25519-sha256",
        ),
        (
            "a.example mail rsa.key\nA.example Mail ed.key",
            2,
            "Mail._domainkey.A.example stands here twice",
            "give each key a selector of its own",
        ),
        (
            "a.example mail rsa.key ed25519-sha256",
            1,
            "{folder}/rsa.key: a key for rsa-sha256, not ed25519-sha256",
            "name the algorithm rsa-sha256, or another key",
        ),
        (
            "a.example mail none.key",
            1,
            "{folder}/none.key: cannot read it: No such file or directory",
            "make the file, or correct the path",
        ),
    ],
)
def test_key_table_errors(
    folder: Path, text: str, line: int | None, message: str, remedy: str
) -> None:
    path = write(folder, "table", text)
    with pytest.raises(ConfigError) as caught:
        key_table(path)
    error = caught.value
    assert (error.path, error.line, error.remedy) == (path, line, remedy)
    assert error.message == message.format(folder=folder)


def test_a_key_in_the_place_of_a_list_is_not_shown(folder: Path) -> None:
    for read in (key_table, domain_file):
        with pytest.raises(ConfigError) as caught:
            read(str(folder / "rsa.key"))
        assert str(caught.value) == (
            f"{folder}/rsa.key: a key in PEM, not a list;"
            " name another file; a key is named with -k, or in a key table"
        )


def test_warnings_come_with_the_key(folder: Path) -> None:
    (folder / "ed.key").chmod(0o644)
    found = key_table(write(folder, "table", "a.example ed ed.key\n"))
    assert [one.key.warnings for one in found] == [load(str(folder / "ed.key")).warnings]
