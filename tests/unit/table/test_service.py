"""The services of tables, by smtpd's names."""

from opensmtpd.table import SERVICES, Service


def test_services_have_smtpds_names() -> None:
    assert [service.value for service in Service] == [
        "alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr", "addrname",
        "mailaddrmap", "relayhost", "string", "regex", "auth",
    ]  # fmt: skip
    assert SERVICES[b"mailaddrmap"] is Service.MAILADDRMAP
    assert len(SERVICES) == 13
