"""A client as the checks of filters see it."""

from ipaddress import ip_address

from opensmtpd.mail.client import Client

HERE = ip_address("192.168.0.1")
"""The address of our listener."""


def client(address: str, name: str | None = None, verdict: str = "pass", **more: bytes) -> Client:
    return Client(ip_address(address), HERE, name, verdict, **more)
