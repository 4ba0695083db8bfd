"""Which method of a table a request goes to, and what may come back from it."""

import pytest

from opensmtpd._protocol.table import requests
from opensmtpd.errors import DecisionError, LocalError
from opensmtpd.table import Service, Table


class Rows(Table):
    def lookup(self, service: Service, key: str) -> str | None:
        return f"{service} {key}" if key == "k" else None


class Checked(Rows):
    def check(self, service: Service, key: str) -> bool:
        return key == "c"


def test_each_service_has_two_routes() -> None:
    assert requests.keyed(Rows()).keys() == {
        (verb, service.value.encode()) for verb in (b"lookup", b"check") for service in Service
    }


def test_lookups_and_checks_go_to_the_table() -> None:
    lookup, check = (requests.keyed(Checked())[verb, b"alias"] for verb in (b"lookup", b"check"))
    assert (lookup.head, lookup.name, lookup.service) == (
        b"lookup-result|",
        "lookup",
        Service.ALIAS,
    )
    assert [lookup.call("k"), lookup.call("c")] == ["alias k", None]
    assert [check.call("k"), check.call("c")] == [False, True]


def test_a_table_without_a_check_is_looked_up() -> None:
    check = requests.keyed(Rows())[b"check", b"alias"]
    assert [check.encode(check.call(key)) for key in ("k", "c")] == [b"found", b"not-found"]


def test_nobody_is_told_the_hashes_of_auth() -> None:
    with pytest.raises(LocalError, match="an unknown service"):
        requests.keyed(Rows())[b"lookup", b"auth"].call("k")
    assert requests.keyed(Rows())[b"check", b"auth"].name == "auth"


@pytest.mark.parametrize(
    ("form", "result", "end"),
    [
        (requests.encode_value, None, b"not-found"),
        (requests.encode_value, "v", b"found|v"),
        (requests.encode_found, None, b"not-found"),
        (requests.encode_found, False, b"not-found"),
        (requests.encode_found, True, b"found"),
        (requests.encode_found, "v", b"found"),
        (requests.encode_done, None, b"ok"),
    ],
)
def test_the_ends_of_answers(form: requests.Encode, result: object, end: bytes) -> None:
    assert form(result) == end


@pytest.mark.parametrize(
    ("form", "result"),
    [
        (requests.encode_value, ""),
        (requests.encode_value, b"v"),
        (requests.encode_found, 1),
        (requests.encode_done, True),
    ],
)
def test_what_is_no_answer(form: requests.Encode, result: object) -> None:
    with pytest.raises(DecisionError):
        form(result)
