"""``genkey``: the key is in its file, and what is printed fits it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from unit.support.new_keys import (
    filter_of,
    genkey,
    published,
    signatures,
    state,
)
from unit.support.swap import Program

pytestmark = pytest.mark.usefixtures("nobody_special")


NAME = "mail._domainkey.example.com"


@pytest.mark.parametrize("arguments", [(), ("--bits", "2056"), ("--algorithm", "ed25519")])
def test_what_is_printed_verifies_what_the_printed_line_signs(
    run: Program, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    said = genkey(run, "--selector", "mail", "--key", tmp_path / "a key", *arguments)
    assert said.status == 0
    zone, web, line = said.out.strip().split("\n\n")
    records = published(zone)
    name, text = web.split("\n")
    assert records == {name: text.encode()}
    assert name == NAME
    assert signatures(filter_of(line), records) == [("mail", True)]
    assert ("-a ed25519-sha256 " in line) == ("ed25519" in arguments)
    assert f"-k '{tmp_path}/a key'" in line


def test_the_key_is_pkcs_8_of_2048_bits_without_a_passphrase(run: Program, tmp_path: Path) -> None:
    genkey(run, "--selector", "mail", "--key", tmp_path / "key")
    data = (tmp_path / "key").read_bytes()
    assert data.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    key = load_pem_private_key(data, password=None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048


@pytest.mark.parametrize("arguments", [(), ("--algorithm", "ed25519")])
def test_nothing_of_the_private_key_is_said(
    run: Program, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    said = genkey(run, "--selector", "mail", "--key", tmp_path / "key", *arguments)
    private = "".join((tmp_path / "key").read_text().split("\n")[1:-2])
    assert len(private) > 60
    whole = said.out + said.err
    pieces = {private[at : at + 24] for at in range(len(private) - 24)}
    assert "PRIVATE" not in whole
    # The public half of an RSA key stands in the private one, but shifted by a byte or two.
    assert not [piece for piece in pieces if piece in whole]


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_nobody_else_can_read_it(run: Program, tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        said = genkey(run, "--selector", "mail", "--key", tmp_path / "k", "--algorithm", "ed25519")
    finally:
        os.umask(old)
    assert said.status == 0
    assert (tmp_path / "k").stat().st_mode & 0o7777 == 0o600


def test_it_is_never_readable_to_others_not_even_empty(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    real = os.fsync

    def look(handle: int) -> None:
        mode = os.fstat(handle).st_mode
        if stat.S_ISREG(mode):
            modes.append(stat.S_IMODE(mode))

    def create(path: str, flags: int, mode: int = 0o777, **folder: int) -> int:
        handle = real_open(path, flags, mode, **folder)
        look(handle)
        return handle

    def sync(handle: int) -> None:
        look(handle)
        real(handle)

    real_open = os.open
    old = os.umask(0)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("os.open", create)
            patch.setattr("os.fsync", sync)
            genkey(run, "--selector", "mail", "--key", tmp_path / "k", "--algorithm", "ed25519")
    finally:
        os.umask(old)
    assert modes[:2] == [0o600, 0o600]


def test_a_relative_path_is_said_as_a_whole_one(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = genkey(run, "--selector", "mail", "--key", "k", "--algorithm", "ed25519")
    assert f' -k {tmp_path}/k" user _dkimsign group _dkimsign\n' in said.out


def test_a_domain_in_another_script_is_published_as_an_a_label(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = genkey(run, "--domain", "Bücher.example", "--selector", "mail", "--key", "k")
    assert "mail._domainkey.xn--bcher-kva.example" in said.out
    assert " -d xn--bcher-kva.example " in said.out
    assert "ü" not in said.out + said.err


@pytest.mark.parametrize("name", ["", "none/"])
def test_a_path_that_names_no_file(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = genkey(run, "--selector", "mail", "--key", name)
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"opensmtpd-plugins: {tmp_path}/{name}: is no name of a file; name one with --key\n"
    )
    assert state(tmp_path) == {}


def test_what_is_above_a_link_is_above_where_it_leads(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("there/deep")
    monkeypatch.chdir(tmp_path)
    assert genkey(run, "--selector", "mail", "--key", "link/../key").status == 0
    assert list(state(tmp_path / "there")) == ["deep", "key"]


def test_what_cannot_be_printed(tmp_path: Path) -> None:
    """The key is there, and its record is nowhere: that must not look like any other error."""
    (tmp_path / "table").write_text(f"example.com a {tmp_path}/a\n")
    # Root would give the key to the filter's group, which need not be here.
    code = "import os; os.geteuid = lambda: 1000; from opensmtpd_cli.main import main; main()"
    command = [sys.executable, "-c", code, "--quiet", "genkey", "--domain", "example.com"]
    for name, arguments, undo in (
        ("a", ("--selector", "a"), ""),
        ("b", ("--rotate", f"{tmp_path}/table"), f"take line 2 out of {tmp_path}/table, "),
    ):
        with open("/dev/full", "wb") as full:
            said = subprocess.run(
                [*command, "--algorithm", "ed25519", "--key", f"{tmp_path}/{name}", *arguments],
                stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
            )  # fmt: skip
        assert said.returncode == 1
        assert said.stderr.partition(": ")[2] == (
            f"{tmp_path}/{name}: made, but its record could not be printed:"
            f" No space left on device; {undo}remove this key, and try again\n"
        )
        assert (tmp_path / name).exists()


def test_the_name_is_kept_as_it_is_written(run: Program, tmp_path: Path) -> None:
    said = run("genkey", "--domain", "Example.COM", "--selector", "Mail", "--key", tmp_path / "k",
               "--algorithm", "ed25519")  # fmt: skip
    assert said.out.startswith("Mail._domainkey.Example.COM. IN TXT ( ")
    assert "-d Example.COM -s Mail " in said.out


@pytest.mark.parametrize("there", ["file", "empty", "link", "dangling", "folder"])
def test_what_is_there_stays(run: Program, tmp_path: Path, there: str) -> None:
    key = tmp_path / "key"
    (tmp_path / "else").write_bytes(b"another's")
    if there == "folder":
        key.mkdir()
    elif there in ("link", "dangling"):
        key.symlink_to(tmp_path / ("else" if there == "link" else "none"))
    else:
        key.write_bytes(b"my key\n" if there == "file" else b"")
    before = state(tmp_path)
    said = genkey(run, "--selector", "mail", "--key", key, "--algorithm", "ed25519")
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"opensmtpd-plugins: {key}: is there already, and a key is never overwritten;"
        " choose another selector, or another file with --key\n"
    )
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ("--bits", "1024"),
            "an RSA key of 1024 bits: signers should use 2048 at least, and verifiers need not"
            " know more than 4096 (RFC 8301); give --bits 2048 to 4096",
        ),
        (
            ("--bits", "4097"),
            "an RSA key of 4097 bits: signers should use 2048 at least, and verifiers need not"
            " know more than 4096 (RFC 8301); give --bits 2048 to 4096",
        ),
        (
            ("--bits", "2048", "--algorithm", "ed25519"),
            "an Ed25519 key has no choice of bits; leave --bits out",
        ),
        (
            ("--domain", "bü cher.example"),
            "'bü cher.example' is no domain; use letters, digits, hyphens and dots (names in other"
            " scripts as xn--…)",
        ),
        (
            ("--domain", "example.com."),
            "'example.com.' is no domain: a dot at its end; leave that dot out",
        ),
        (
            ("--selector", "../mail"),
            "'../mail' is no selector; use letters, digits, hyphens and dots (names in other"
            " scripts as xn--…)",
        ),
        (
            ("--selector", "s" * 64),
            f"'{'s' * 64}' is no selector: 64 bytes between two dots, of 63 at most; choose a"
            " shorter one",
        ),
    ],
)
def test_what_cannot_be(
    run: Program, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    said = genkey(run, "--selector", "mail", "--key", tmp_path / "key", *arguments)
    assert (said.status, said.out) == (1, "")
    assert said.err == f"opensmtpd-plugins: {reason}\n"
    assert state(tmp_path) == {}


def test_a_doubtful_selector_is_taken_with_a_warning(run: Program, tmp_path: Path) -> None:
    said = genkey(run, "--selector", "mail._domainkey", "--key", tmp_path / "key")
    assert said.status == 0
    assert said.err.startswith(
        "warning: selector mail._domainkey: verifiers add ._domainkey themselves;"
        " did you mean mail?\n"
    )


def test_no_selector(run: Program, tmp_path: Path) -> None:
    said = genkey(run, "--key", tmp_path / "key")
    assert said.status == 2
    assert said.err == (
        "opensmtpd-plugins: a selector is missing: give a name, as --selector mail;"
        " see opensmtpd-plugins genkey --help\n"
    )
    assert state(tmp_path) == {}


def test_without_cryptography(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "opensmtpd.mail.dkim.keys.generate", raising=False)
    monkeypatch.delattr("opensmtpd.mail.dkim.keys.generate", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    said = genkey(run, "--selector", "mail", "--key", tmp_path / "key")
    assert said.status == 1
    assert said.err.startswith("opensmtpd-plugins: keys need cryptography: ")
    assert said.err.endswith("; pip install 'opensmtpd-plugins[dkim]'\n")
    assert state(tmp_path) == {}


def test_the_program_starts_without_what_only_keys_need() -> None:
    code = "import opensmtpd_cli.main, sys; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
