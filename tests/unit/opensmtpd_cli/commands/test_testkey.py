"""``testkey``: its lines and its exit status, with a DNS of plain data."""

from pathlib import Path

import pytest

from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from unit.support.asked_dns import Asked, asking
from unit.support.dkim_material import ED25519_PEM, ED25519_PUBLIC, RSA_PEM, RSA_PUBLIC
from unit.support.swap import Program

SAID: dict[str, Reply] = {
    "mail": Found((RSA_PUBLIC.decode(),)),
    "ed": Found((ED25519_PUBLIC.decode(),)),
    "test": Found((ED25519_PUBLIC.decode() + "; t=y",)),
    "other": Found((RSA_PUBLIC.decode().replace("DwIRP", "DkHlO"),)),
    "slow": Failed("timed out"),
}
REPLIES = {
    Question(f"{name}._domainkey.example.com", RecordType.TXT): reply
    for name, reply in SAID.items()
}
ED = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return asking(REPLIES, monkeypatch)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "ed.key"
    path.write_text(ED25519_PEM)
    path.chmod(0o600)
    return path


def test_a_key_that_is_published(run: Program, key: Path, asked: Asked) -> None:
    said = run("testkey", key, "--domain", "example.com", "--selector", "ed",
               "--nameserver", "192.0.2.1", "--dns-deadline", "7")  # fmt: skip
    assert said == (0, f"ed._domainkey.example.com: equal to {key}\n", "")
    assert str(asked.options.nameserver[0]) == "192.0.2.1:53"
    assert asked.options.dns_deadline == 7


def test_a_key_of_several_domains(run: Program, key: Path) -> None:
    said = run("testkey", key, "--domain", "example.com", "--domain", "example.org",
               "--selector", "ed")  # fmt: skip
    assert said == (
        1,
        f"ed._domainkey.example.com: equal to {key}\n"
        "ed._domainkey.example.org: not published;"
        f' publish ed._domainkey.example.org. IN TXT "{ED}"\n',
        "",
    )


def test_all_keys_of_a_table(
    run: Program, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rsa.key").write_text(RSA_PEM)
    (tmp_path / "rsa.key").chmod(0o600)
    table = tmp_path / "table"
    table.write_text(
        "example.com mail rsa.key\nexample.com test ed.key\nexample.com ed gone.key\n"
        "example.com other rsa.key\nexample.com slow ed.key\n"
    )
    monkeypatch.chdir(tmp_path)
    said = run("testkey", "table")
    assert (said.status, said.err) == (1, "")
    mail, test, ed, other, slow = said.out.splitlines()
    assert mail == (
        f"mail._domainkey.example.com: equal to {tmp_path}/rsa.key; {tmp_path}/rsa.key: RSA key"
        " of 1024 bits, fewer than 2048; make one: openssl genrsa -out FILE 2048"
    )
    assert test == (
        f"test._domainkey.example.com: equal to {key}; the record says t=y: verifiers take the"
        " mail for unsigned"
    )
    assert ed.startswith(f"ed._domainkey.example.com: {tmp_path}/gone.key: ")
    assert other.startswith(
        "other._domainkey.example.com: the record has another key;"
        ' publish other._domainkey.example.com. IN TXT "v=DKIM1; k=rsa; p=MIG'
    )
    assert slow == ("slow._domainkey.example.com: the DNS did not tell: timed out; try again later")


def test_the_keys_of_a_filter(run: Program, key: Path) -> None:
    command = f"filter-dkimsign -d example.com -s ed -a ed25519-sha256 -k {key}"
    line = f'filter "dkimsign" proc-exec "{command}" user _dkimsign group _dkimsign'
    expected = (0, f"ed._domainkey.example.com: equal to {key}\n", "")
    assert run("testkey", line) == expected
    assert run("testkey", command) == expected
    said = run("testkey", 'filter "rspamd" proc-exec "filter-rspamd -x"')
    assert said == (1, "", "opensmtpd-plugins: no line of filter-dkimsign\n")


def test_where_the_dns_does_not_tell(run: Program, key: Path) -> None:
    said = run("testkey", key, "--domain", "example.com", "--selector", "slow")
    assert said.status == 3
    assert said.out == (
        "slow._domainkey.example.com: the DNS did not tell: timed out; try again later\n"
    )


def test_usage(run: Program, key: Path) -> None:
    for arguments in ((key,), (key, "--domain", "example.com"), (key, "--selector", "mail"), ()):
        said = run("testkey", *arguments)
        assert (said.status, said.out) == (2, "")
        assert "--selector" in said.err or not arguments
    assert run("testkey", key, "--domain", "a@b", "--selector", "x").status == 1


def test_what_a_record_holds_is_made_harmless(
    run: Program, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question("bad._domainkey.example.com", RecordType.TXT)
    monkeypatch.setitem(REPLIES, question, Found(("v=DKIM1; \x1b[31m=1; p=x",)))
    said = run("testkey", key, "--domain", "example.com", "--selector", "bad")
    assert said.status == 1
    assert "\x1b" not in said.out
