"""Relay hosts that smtpd can use, and others."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules import smarthosts
from unit.support.checked import found_by

HEAD = 'table secrets { bob = "user:hush1" }\ntable far sqlite:/etc/far.conf\n'


def said(folder: Path, options: str) -> list[str]:
    found = found_by(smarthosts.smarthosts, folder, f'{HEAD}action "a" relay {options}\n')
    assert all((each.severity, each.line) == ("error", 3) for each in found)
    assert not any("hush1" in field for each in found for field in (each.fault, each.remedy))
    return [each.code for each in found]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ('host "smtp://bob@mx.example.com" auth <secrets>', "relay-auth-without-tls"),
        ('host "bob@mx.example.com" auth <secrets>', "relay-auth-without-tls"),
        ('host "smtp+notls://bob@mx.example.com:587" auth <secrets>', "relay-auth-without-tls"),
        ('host "smtp+auth://bob@mx.example.com" auth <secrets>', "relay-scheme"),
        ('host "tls+auth://bob@mx.example.com" auth <secrets>', "relay-scheme"),
        ('host "smtp+tls://bob@mx.example.com"', "relay-label-unknown"),
        ('host "smtp+tls://eve@mx.example.com" auth <secrets>', "relay-label-unknown"),
        ('host "smtps://bob:hush1@mx.example.com"', "relay-label-unknown"),
        ('host "smtps://bob:hush1@mx.example.com" auth <secrets>', "relay-label-unknown"),
        ('host "smtp://bob:hush1@mx.example.com" auth <secrets>', "relay-auth-without-tls"),
        ('domain { "a.com" = "ssl://mx.example.com" }', "relay-scheme"),
    ],
)
def test_faults(tmp_path: Path, options: str, code: str) -> None:
    assert said(tmp_path, options) == [code]


@pytest.mark.parametrize(
    "options",
    [
        "",
        "host mx.example.com",
        'host "smtp://mx.example.com:587"',
        'host "smtp+notls://127.0.0.1:10027"',
        'host "lmtp://[::1]:24"',
        'host "smtp+tls://bob@mx.example.com:587" auth <secrets>',
        'host "SMTPS://Bob@mx.example.com" auth <secrets>',
        'host "smtps://eve@mx.example.com" auth <far>',
        "host <far> auth <secrets>",
        'domain { "a.com" = "smtp://mx.example.com", "b.com" = "lmtp://[2001:db8::1]:24" }',
    ],
)
def test_no_faults(tmp_path: Path, options: str) -> None:
    assert said(tmp_path, options) == []
