"""The services of tables, by smtpd's names."""

import pytest

from opensmtpd.table.service import SERVICES, Service


def test_services_have_smtpds_names() -> None:
    assert [service.value for service in Service] == [
        "alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr", "addrname",
        "mailaddrmap", "relayhost", "string", "regex", "auth",
    ]  # fmt: skip
    assert SERVICES[b"mailaddrmap"] is Service.MAILADDRMAP
    assert len(SERVICES) == 13


@pytest.mark.parametrize("service", list(Service))
def test_a_service_is_its_name(service: Service) -> None:
    assert service == service.value == str(service)
    assert SERVICES[service.encode("ascii")] is service
    assert Service(service.value) is service


@pytest.mark.parametrize("name", ["", "Alias", "alias ", "none", "dict", "password"])
def test_other_names_are_no_services(name: str) -> None:
    assert name.encode() not in SERVICES
    with pytest.raises(ValueError, match="is not a valid Service"):
        Service(name)
