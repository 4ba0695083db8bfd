"""The modelled smtpd in each release, and each way to cut what a filter writes."""

import pytest

from opensmtpd.testing import Smtpd
from unit.support.smtpd_walk import EVERYTHING, VERSIONS, Write


def whole(smtpd: Smtpd, data: bytes) -> None:
    smtpd.receive(data)


def bytewise(smtpd: Smtpd, data: bytes) -> None:
    for at in range(len(data)):
        smtpd.receive(data[at : at + 1])


@pytest.fixture(params=[whole, bytewise], ids=["whole", "bytewise"])
def write(request: pytest.FixtureRequest) -> Write:
    chosen: Write = request.param
    return chosen


@pytest.fixture(params=VERSIONS)
def smtpd(request: pytest.FixtureRequest) -> Smtpd:
    model = Smtpd(request.param)
    model.receive(EVERYTHING)
    return model
