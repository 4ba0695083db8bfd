"""Which method of a table a request goes to, and what may come back from it."""

import pytest

from opensmtpd import routes
from opensmtpd.errors import DecisionError, LocalError
from opensmtpd.queries import Service
from opensmtpd.table import Table


class Rows(Table):
    def lookup(self, service: Service, key: str) -> str | None:
        return f"{service} {key}" if key == "k" else None


class Checked(Rows):
    def check(self, service: Service, key: str) -> bool:
        return key == "c"


def test_each_service_has_two_routes() -> None:
    assert routes.keyed(Rows()).keys() == {
        (verb, service.value.encode()) for verb in (b"lookup", b"check") for service in Service
    }


def test_lookups_and_checks_go_to_the_table() -> None:
    lookup, check = (routes.keyed(Checked())[verb, b"alias"] for verb in (b"lookup", b"check"))
    assert (lookup.verb, lookup.name, lookup.service) == (b"lookup", "lookup", Service.ALIAS)
    assert [lookup.ask("k"), lookup.ask("c")] == ["alias k", None]
    assert [check.ask("k"), check.ask("c")] == [False, True]


def test_a_table_without_a_check_is_looked_up() -> None:
    check = routes.keyed(Rows())[b"check", b"alias"]
    assert [check.form(check.ask(key)) for key in ("k", "c")] == [b"found", b"not-found"]


def test_nobody_is_told_the_hashes_of_auth() -> None:
    with pytest.raises(LocalError, match="an unknown service"):
        routes.keyed(Rows())[b"lookup", b"auth"].ask("k")
    assert routes.keyed(Rows())[b"check", b"auth"].name == "auth"


@pytest.mark.parametrize(
    ("form", "result", "end"),
    [
        (routes.value, None, b"not-found"),
        (routes.value, "v", b"found|v"),
        (routes.found, None, b"not-found"),
        (routes.found, False, b"not-found"),
        (routes.found, True, b"found"),
        (routes.found, "v", b"found"),
        (routes.done, None, b"ok"),
    ],
)
def test_the_ends_of_answers(form: routes.Form, result: object, end: bytes) -> None:
    assert form(result) == end


@pytest.mark.parametrize(
    ("form", "result"),
    [(routes.value, ""), (routes.value, b"v"), (routes.found, 1), (routes.done, True)],
)
def test_what_is_no_answer(form: routes.Form, result: object) -> None:
    with pytest.raises(DecisionError):
        form(result)
