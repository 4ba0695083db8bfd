"""filter-dkimsign: its command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_filters.dkimsign import DkimSign, main, parser
from unit.support.dkimsign_flags import ed, make, rsa, table
from unit.support.processes import CHECKED

# --- options ------------------------------------------------------------------------------------


def test_short_options_as_the_c_filter_takes_them(folder: Path) -> None:
    (folder / "domains").write_text("# more\nb.example\n", encoding="ascii")
    flags = parser().parse_args(
        ["-tzz", "-x3600", "-arsa-sha256", "-crelaxed", "-da.example",
         "-D", str(folder / "domains"), "-hfrom:to", "-k", str(folder / "rsa.key"), "-smail"]
    )  # fmt: skip
    filter = DkimSign(flags)
    style = filter.signer.style
    assert (style.header, style.body) == ("relaxed", "simple")
    assert (style.timestamp, style.lifetime, style.copies) == (True, 3600, 2)
    assert style.names == (b"from", b"to")
    assert [one.domain for one in filter.signer.keyring] == ["a.example", "b.example"]


def test_each_short_option_has_a_long_one(folder: Path) -> None:
    short = make(
        rsa(
            folder,
            "-c",
            "relaxed/relaxed",
            "-h",
            "from:to",
            "-t",
            "-x",
            "9",
            "-z",
            "-u",
            "skip",
            "-m",
        )
    )
    long = make(
        ["--domain", "example.com", "--selector", "mail", "--key", str(folder / "rsa.key"),
         "--canonicalization", "relaxed/relaxed", "--headers", "from:to", "--timestamp",
         "--expire", "9", "--copy-headers", "--unmatched", "skip", "--add-missing"]
    )  # fmt: skip
    assert long.signer.style == short.signer.style
    assert long.uses == short.uses == ("destination",)


def test_defaults(folder: Path) -> None:
    signer = make(rsa(folder)).signer
    assert signer.style[:2] == ("simple", "simple")
    assert signer.style[3:] == ((), False, 0, 0, "first")
    assert len(signer.style.names) == 20
    assert [one.algorithm for one in signer.keyring] == ["rsa-sha256"]


def test_oversign(folder: Path) -> None:
    assert make(ed(folder, "--oversign")).signer.style.oversigned == (
        b"from", b"reply-to", b"subject", b"to", b"cc", b"in-reply-to", b"references",
    )  # fmt: skip
    chosen = make(ed(folder, "--oversign", "-h", "from:date:x")).signer.style
    assert chosen.oversigned == (b"from", b"x")


def test_what_cannot_be_oversigned_is_told(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked = make(ed(folder, "--oversign", "-h", "from:to:dkim-signature:date")).signer.style
    assert asked.names == (b"from", b"to", b"dkim-signature", b"date")
    assert asked.oversigned == (b"from", b"to")
    assert capfd.readouterr().err == (
        'dkim-not-oversigned fields=dkim-signature,date reason="mail systems add these fields"\n'
    )
    make(ed(folder, "-h", "from:dkim-signature"))
    make(ed(folder, "--oversign"))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["-d", "a.example"],
            "nothing to sign with;"
            " give a domain (-d), a selector (-s) and a key (-k), or a key table (-f)",
        ),
        (
            ["-f", "table", "-d", "a.example"],
            "-f does not go with -d, -D, -s, -k or -a;"
            " write all keys into the table, or use -d, -s and -k without it",
        ),
        (
            ["-d", "a.example", "-s", "s", "-k", "{folder}/ed.key"],
            "{folder}/ed.key: a key for ed25519-sha256, not rsa-sha256;"
            " name the algorithm ed25519-sha256, or another key",
        ),
        (
            ["-d", "a;b", "-s", "s", "-k", "{folder}/rsa.key"],
            "'a;b' is no domain;"
            " use letters, digits, hyphens and dots (names in other scripts as xn--…)",
        ),
        (
            ["-d", "a.example", "-s", "s", "-k", "{folder}/rsa.key", "-h", ""],
            "no name of a header field: '';"
            " write names of header fields with colons between them: from:to:subject",
        ),
        (
            ["-d", "a.example", "-s", "s", "-k", "{folder}/rsa.key", "-c", "nofws"],
            "unknown canonicalization 'nofws';"
            " write simple or relaxed, or one each for header and body: relaxed/simple",
        ),
    ],
)
def test_configuration_that_cannot_be_used(folder: Path, flags: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make([flag.format(folder=folder) for flag in flags])
    assert str(caught.value) == message.format(folder=folder)


@pytest.mark.parametrize(
    "flags",
    [["-x", "0"], ["-x", "-1"], ["-x", "1.5"], ["-x", "9223372036854775808"], ["-a", "rsa-sha1"],
     ["-a", "rsa-sha512"], ["-u", "never"], ["--unsigned", "drop"], ["-q"], ["operand"]],
    ids=" ".join,
)  # fmt: skip
def test_usage_errors(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(flags)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("filter-dkimsign: ")


def test_bcc_cannot_be_covered(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    filter = make(ed(folder, "-h", "from:Bcc"))
    assert filter.signer.style.names == (b"from",)
    assert capfd.readouterr().err == (
        'dkim-not-covered fields=bcc reason="smtpd drops this field after its filters"\n'
    )


def test_warnings_are_logged_once_for_each_key(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make(rsa(folder, "-d", "b.example"))
    assert capfd.readouterr().err == (
        f'dkim-key-warning reason="{folder}/rsa.key: RSA key of 1024 bits, fewer than 2048;'
        ' make one: openssl genrsa -out FILE 2048"\n'
    )


# --- the program --------------------------------------------------------------------------------


def test_check(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["filter-dkimsign", "-n", *ed(folder)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"filter-dkimsign: {CHECKED}\n"


def test_check_fails_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = table(folder, "example.com ed none.key\n")
    monkeypatch.setattr(sys, "argv", ["filter-dkimsign", "-n", *flags])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        f"filter-dkimsign: {folder}/table:1: {folder}/none.key: cannot read it:"
        " No such file or directory; make the file, or correct the path\n"
    )


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    text = capsys.readouterr().out
    assert 'filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail' in text
    assert "v=DKIM1; k=rsa; p=" in text
    assert "--key-table FILE" in text
    assert "--headers NAME:NAME..." in text


def test_little_is_imported(folder: Path) -> None:
    """What takes its time to load and is not needed to sign, stays out; so does what reads keys."""
    code = (
        "import sys; from opensmtpd_filters import dkimsign;"
        "dkimsign.DkimSign(dkimsign.parser().parse_args(sys.argv[1:]));"
        "keys = 'opensmtpd.mail.dkim.keys.';"
        "print([name for name in ('asyncio', 'email', 'ssl', 'cryptography', 'importlib.metadata',"
        " keys + 'pem', keys + 'load', keys + 'named_keys') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, *ed(folder)]
    shown = subprocess.run(command, capture_output=True, check=True)
    assert shown.stdout == b"[]\n"
