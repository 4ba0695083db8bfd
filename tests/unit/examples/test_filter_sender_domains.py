"""examples/filter_sender_domains.py: the file decides, and is read again."""

from argparse import Namespace
from pathlib import Path

import pytest

from filter_sender_domains import SenderDomains
from opensmtpd.errors import ConfigError
from opensmtpd.testing import run_message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "rejected"
    file.write_text("spam.example\n\nWorse.example\n")
    return file


def accepted(filter: SenderDomains, sender: bytes) -> bool:
    outcome = run_message(filter, sender=sender)
    assert outcome.accepted or outcome.reply == b"550 5.7.1 No mail from this domain, please"
    return outcome.accepted


def test_domains_of_the_file_are_rejected_in_any_case(path: Path) -> None:
    filter = SenderDomains(Namespace(path=path))
    senders = (b"a@spam.example", b"a@Spam.Example", b"a@worse.example")
    assert [accepted(filter, sender) for sender in senders] == [False] * 3


def test_others_are_not_and_bounces_are_not(path: Path) -> None:
    filter = SenderDomains(Namespace(path=path))
    senders = (b"a@good.example", b"a@sub.spam.example", b"", b"spam.example@good.example")
    assert [accepted(filter, sender) for sender in senders] == [True] * 4


def test_reload_reads_the_file_again_or_keeps_the_old_domains(path: Path) -> None:
    filter = SenderDomains(Namespace(path=path))
    path.write_text("good.example\n")
    filter.reload()
    assert accepted(filter, b"a@spam.example")
    assert not accepted(filter, b"a@good.example")
    path.unlink()
    with pytest.raises(ConfigError, match=r"rejected: No such file or directory"):
        filter.reload()
    assert not accepted(filter, b"a@good.example")


def test_without_the_file_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        SenderDomains(Namespace(path=tmp_path / "missing"))
