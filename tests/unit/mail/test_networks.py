"""Networks of clients."""

import argparse
from ipaddress import ip_address

import pytest

from opensmtpd.mail import networks


def flags(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="x")
    networks.add(parser)
    return parser.parse_args([*words])


@pytest.mark.parametrize(
    ("words", "address", "expected"),
    [
        ("", "192.0.2.77", "192.0.2.0/24"),
        ("", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("--network4 32", "192.0.2.77", "192.0.2.77/32"),
        ("--network4=1", "192.0.2.77", "128.0.0.0/1"),
        ("--network4 20 --network6 48", "192.0.47.77", "192.0.32.0/20"),
        ("--network4 20 --network6 48", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("--network6 128", "2001:db8::1", "2001:db8::1/128"),
    ],
)
def test_the_network_of_an_address(words: str, address: str, expected: str) -> None:
    assert networks.network(ip_address(address), flags(*words.split())) == expected


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    "bits", ["0", "-1", "33x", "", "24.0", " 24", "+24", "\u0662\u0664", "129", "99999", "1" * 5000]
)
def test_odd_numbers_of_bits(family: int, bits: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        flags(f"--network{family}={bits}")
    most = {4: 32, 6: 128}[family]
    said = capsys.readouterr().err.splitlines()[-1]
    assert (
        said == f"x: error: argument --network{family}: {bits!r} is not a number from 1 to {most}"
    )


def test_more_bits_than_an_address_has() -> None:
    with pytest.raises(SystemExit):
        flags("--network4=33")
    assert flags("--network6=33").network6 == 33
