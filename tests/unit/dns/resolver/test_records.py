"""The records that a reply may hold, by their type."""

import pytest

from opensmtpd.dns import RecordType
from opensmtpd.dns.resolver.records import RECORDS_MAX, TEXTS_MAX, checked
from unit.support.dns_lab import AAAA, MX, PTR, TXT, A


@pytest.mark.parametrize(
    ("kind", "record", "good"),
    [
        *((A, "192.0.2.1", True), (A, "192.0.2.256", False), (A, "one.example", False)),
        *((A, "2001:db8::1", False), (AAAA, "192.0.2.1", False)),
        *((AAAA, "2001:db8::1", True), (AAAA, "2001:DB8::1", False), (AAAA, "", False)),
        *((PTR, "one.example", True), (PTR, "One.example", False), (PTR, "a|b", False)),
        *((MX, "mx_1.example", True), (MX, "mx.example.", False), (MX, "x" * 254, False)),
        *((MX, "a:b/c d.example", True), (MX, "A.example", False), (MX, "\\032.example", False)),
        *((MX, "\xe4.example", False), (MX, "a\n.example", False), (PTR, "a:b.example", False)),
        *((TXT, "", True), (TXT, "\xff\n", True), (TXT, "\u0100", False)),
        *((TXT, "x" * 65535, True), (TXT, "x" * 65536, False)),
        *((RecordType.SOA, "4294967295", True), (RecordType.SOA, "-1", False)),
        *((RecordType.SOA, "\u0661", False), (RecordType.SOA, "1" * 11, False)),
    ],
)
def test_a_record(kind: RecordType, record: str, good: bool) -> None:
    if good:
        assert checked(kind, [record]) == (record,)
    else:
        with pytest.raises(ValueError):  # noqa: PT011  ip_address has texts of its own
            checked(kind, [record])


def test_so_many() -> None:
    assert len(checked(A, ["192.0.2.1"] * RECORDS_MAX)) == RECORDS_MAX
    for wrong in ([], ["192.0.2.1"] * (RECORDS_MAX + 1)):
        with pytest.raises(ValueError):  # noqa: PT011  ip_address has texts of its own
            checked(A, wrong)


def test_so_much_text() -> None:
    """An answer has no more octets."""
    assert len(checked(TXT, ["x"] * TEXTS_MAX)) == TEXTS_MAX
    assert len(checked(TXT, ["x" * 40000, "x" * 25535])) == 2
    for wrong in (["x"] * (TEXTS_MAX + 1), ["x" * 40000, "x" * 25536]):
        with pytest.raises(ValueError):  # noqa: PT011  as above
            checked(TXT, wrong)


@pytest.mark.parametrize("records", [None, "192.0.2.1", {"192.0.2.1": 1}, [b"192.0.2.1"], [None]])
def test_other_types(records: object) -> None:
    with pytest.raises(TypeError):
        checked(A, records)
