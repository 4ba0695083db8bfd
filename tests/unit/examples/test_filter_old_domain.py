"""examples/filter_old_domain.py: recipients of the old domain are rewritten, others are not."""

from argparse import Namespace

import pytest

from filter_old_domain import OldDomain
from opensmtpd.testing import run_message

FLAGS = Namespace(old="Old.example", new="example.com")


@pytest.mark.parametrize("recipient", [b"alice@old.example", b"alice@OLD.example"])
def test_the_new_address_takes_the_place_of_the_old_one(recipient: bytes) -> None:
    outcome = run_message(OldDomain(FLAGS), recipients=[recipient])
    assert dict(outcome.decisions)["rcpt-to"] == b"rewrite|<alice@example.com>"
    assert outcome.accepted


@pytest.mark.parametrize(
    "recipient", [b"alice@example.com", b"alice@sub.old.example", b"old.example"]
)
def test_other_recipients_stay(recipient: bytes) -> None:
    outcome = run_message(OldDomain(FLAGS), recipients=[recipient])
    assert dict(outcome.decisions)["rcpt-to"] == b"proceed"
