"""examples/filter_own_name.py: the names of this server are refused, others are not."""

from argparse import Namespace

import pytest

from filter_own_name import OwnName
from opensmtpd.testing import run_message

FLAGS = Namespace(names=["mail.example.com", "Example.COM"])


@pytest.mark.parametrize("helo", [b"mail.example.com", b"MAIL.example.com", b"example.com"])
def test_own_names_are_refused(helo: bytes) -> None:
    outcome = run_message(OwnName(FLAGS), helo=helo)
    assert outcome.reply == b"550 5.7.1 That is my name, not yours"
    assert not outcome.accepted


@pytest.mark.parametrize("helo", [b"client.example", b"www.example.com", b"[192.0.2.5]"])
def test_other_names_are_not(helo: bytes) -> None:
    assert run_message(OwnName(FLAGS), helo=helo).accepted
