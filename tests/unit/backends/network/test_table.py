"""The table of all servers: what it asks, and what it answers while they are away."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opensmtpd import needs as needs_module
from opensmtpd.backends.network.lists import FRESH
from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.errors import (
    ConfigError,
    LocalError,
    ServerLate,
    ServerLost,
    ServerRefused,
    Unavailable,
)
from opensmtpd.needs import Needs
from opensmtpd.table import Service
from opensmtpd.testing import ask
from unit.support import network_fakes
from unit.support.network_fakes import AuthBackend, Clock, FakeBackend, FakeServer, made

pytestmark = pytest.mark.usefixtures("server", "logged")
GONE = ServerLost("gone")


# --- answers --------------------------------------------------------------------------------------


def test_a_lookup_and_a_check(tmp_path: Path, server: FakeServer) -> None:
    table = made(tmp_path)
    server.rows = {"bob": "bob@example.org", "null": None, "empty": ""}
    assert ask(table, "lookup", "alias", "bob") == ("found", "bob@example.org")
    assert ask(table, "check", "alias", "bob").result == "found"
    assert ask(table, "lookup", "alias", "carol").result == "not-found"
    assert ask(table, "check", "alias", "carol").result == "not-found"
    assert server.asked == [[["alias", key]] for key in ("bob", "bob", "carol", "carol")]
    assert server.calls.count("connect") == 1


@pytest.mark.parametrize(
    ("value", "result"),
    [("x" * 3000, "error"), ("a\nb", "error"), ("", "error"), ("x" * 2000, "found")],
)
def test_any_cell_makes_a_legal_answer(
    tmp_path: Path, server: FakeServer, value: str, result: str
) -> None:
    server.rows = {"bob": value}
    assert ask(made(tmp_path), "lookup", "alias", "bob").result == result


def test_a_question_that_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FakeServer
) -> None:
    def question(_self: FakeBackend, service: Service, _key: str) -> list[str]:
        raise ConfigError(f"no query_{service}", path="/x.conf")

    monkeypatch.setattr(FakeBackend, "question", question)
    answer = ask(made(tmp_path), "lookup", "alias", "bob")
    assert answer == ("error", "/x.conf: no query_alias")
    assert server.calls == []


# --- rows that match ------------------------------------------------------------------------------


def test_the_key_of_smtpd_is_asked_for_first_and_all_others_at_once(
    tmp_path: Path, server: FakeServer
) -> None:
    server.rows = {"@example.org": "all", "bob@example.org": "bob"}
    table = made(tmp_path)
    assert ask(table, "lookup", "mailaddr", "bob@example.org") == ("found", "bob")
    assert ask(table, "check", "mailaddr", "eve@example.org").result == "found"
    assert [len(questions) for questions in server.asked] == [1, 1, 10]
    assert server.asked[1] == [["mailaddr", "eve@example.org"]]
    assert ["mailaddr", "@example.org"] in server.asked[2]


def test_an_ipv6_address_takes_two_round_trips(tmp_path: Path, server: FakeServer) -> None:
    server.rows = {"2001:db8::/32": "yes"}
    assert ask(made(tmp_path), "check", "netaddr", "[2001:db8::1]").result == "found"
    assert [len(questions) for questions in server.asked] == [1, 259]


def test_of_two_rows_the_most_specific_counts(tmp_path: Path, server: FakeServer) -> None:
    server.rows = {"*": "all", "*.example.org": "labels"}
    assert ask(made(tmp_path), "lookup", "domain", "a.example.org") == ("found", "labels")


@pytest.mark.parametrize("line", ["match none", "match netaddr mailaddr"])
def test_services_that_are_not_matched(tmp_path: Path, server: FakeServer, line: str) -> None:
    server.rows = {"*.example.org": "yes"}
    table = made(tmp_path, line)
    assert ask(table, "check", "domain", "a.example.org").result == "not-found"
    assert server.asked == [[["domain", "a.example.org"]]]


def test_patterns_are_matched_though_candidates_are_not(tmp_path: Path, server: FakeServer) -> None:
    server.rows = {"patterns_domain": "*.example.org", "*.example.org": "yes"}
    table = made(tmp_path, "match none", "patterns_domain yes")
    assert ask(table, "lookup", "domain", "a.example.org") == ("found", "yes")
    assert ask(table, "check", "domain", "a.example.com").result == "not-found"
    assert [len(questions) for questions in server.asked] == [1, 1, 1, 1]


def test_both_round_trips_have_the_time_of_one(
    tmp_path: Path, server: FakeServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    untils: list[float] = []

    def asked(_self: object, questions: list[list[str]], until: float) -> list[None]:
        untils.append(until)
        clock.now += 0.7
        return [None] * len(questions)

    monkeypatch.setattr(network_fakes.FakeConnection, "ask", asked)
    table = made(tmp_path, "timeout 1.5", clock=clock)
    assert table.check_many(Service.DOMAIN, ["a", "b", "c"]) == [False] * 3
    assert untils == [1001.5, 1001.5]


# --- patterns and lists ---------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "pattern"), [("domain", "a*"), ("regex", "a+")])
def test_reading_the_patterns_and_the_row_have_the_time_of_one(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, service: str, pattern: str
) -> None:
    untils: list[float] = []

    def asked(_self: object, questions: list[list[str]], until: float) -> list[list[str] | None]:
        untils.append(until)
        clock.now += 0.7
        return [[pattern] if len(question) == 1 else None for question in questions]

    monkeypatch.setattr(network_fakes.FakeConnection, "ask", asked)
    table = made(tmp_path, "timeout 1.5", f"patterns_{service} yes", clock=clock)
    for begin in (1000.0, clock.now + 2 * FRESH):
        untils.clear()
        clock.now = begin
        for verb in ("check", "lookup"):
            ask(table, verb, service, "aaa")
        assert untils[0] == begin + 1.5
        assert set(untils) == {begin + 1.5, untils[-1]}
        assert untils[-1] > begin + 1.5  # that of the second request


def test_patterns_of_the_server(tmp_path: Path, server: FakeServer) -> None:
    server.rows = {"patterns_domain": "mail*.example.org *.example.net", "mail*.example.org": "x"}
    table = made(tmp_path, "patterns_domain yes")
    assert ask(table, "lookup", "domain", "mail7.example.org") == ("found", "x")
    assert server.asked[-1] == [["domain", "mail*.example.org"]]
    assert ask(table, "check", "domain", "a.example.com").result == "not-found"


def test_a_list_is_taken_in_turn(tmp_path: Path, server: FakeServer) -> None:
    server.rows = {"fetch_source": "192.0.2.2 192.0.2.1 192.0.2.2"}
    table = made(tmp_path)
    answers = [ask(table, "fetch", "source").value for _ in range(3)]
    assert answers == ["192.0.2.1", "192.0.2.2", "192.0.2.1"]
    assert server.asked == [[["fetch_source"]]]


# --- while the server is away ---------------------------------------------------------------------


def test_errors_at_once_and_right_answers_when_it_is_back(
    tmp_path: Path, server: FakeServer, clock: Clock, logged: list[str]
) -> None:
    server.rows = {"bob": "here"}
    table = made(tmp_path, clock=clock)
    server.faults = [GONE]
    assert ask(table, "lookup", "alias", "bob") == ("error", "gone")
    assert ask(table, "lookup", "alias", "bob").value == "fake: away, asked again in 0.5 s"
    assert ask(table, "check", "domain", "x.example.org").result == "error"
    assert server.calls == ["connect", "close"]
    clock.now += 0.5
    assert ask(table, "lookup", "alias", "bob") == ("found", "here")
    events = [line.split()[0] for line in logged if line.startswith("server")]
    assert events == ["server-away", "server-back"]


def test_stale_answers(tmp_path: Path, server: FakeServer, clock: Clock) -> None:
    server.rows = {"bob": "here", "@example.org": "x"}
    table = made(tmp_path, "stale 3600", clock=clock)
    for verb, service, key in ASKED:
        ask(table, verb, service, key)
    server.rows = {}
    server.faults = [GONE] * 100
    clock.now += 3599
    results = [ask(table, verb, service, key) for verb, service, key in ASKED]
    assert [(each.result, each.value) for each in results] == [
        ("found", "here"),
        ("found", ""),
        ("not-found", ""),
        ("not-found", ""),
        ("found", ""),
        ("not-found", ""),
    ]
    assert ask(table, "lookup", "alias", "eve").result == "error"
    assert ask(table, "lookup", "userinfo", "bob").result == "error"
    clock.now += 2
    assert ask(table, "lookup", "alias", "bob").result == "error"


ASKED = [
    ("lookup", "alias", "bob"),
    ("check", "alias", "bob"),
    ("lookup", "alias", "carol"),
    ("check", "alias", "carol"),
    ("check", "mailaddr", "eve@example.org"),
    ("check", "netaddr", "192.0.2.1"),
]


def test_no_stale_answer_unless_it_is_asked_for(
    tmp_path: Path, server: FakeServer, clock: Clock
) -> None:
    server.rows = {"bob": "here"}
    table = made(tmp_path, clock=clock)
    assert ask(table, "lookup", "alias", "bob").result == "found"
    server.faults = [GONE] * 10
    assert ask(table, "lookup", "alias", "bob").result == "error"


def test_a_value_that_smtpd_does_not_take_is_not_kept(
    tmp_path: Path, server: FakeServer, clock: Clock
) -> None:
    """A server may send megabytes for each key."""
    server.rows = {"long": "x" * 2048, "bob": "x" * 2047}
    table = made(tmp_path, "stale 3600", clock=clock)
    assert table.lookup(Service.ALIAS, "long") == "x" * 2048
    assert table.lookup(Service.ALIAS, "bob") == "x" * 2047
    server.faults = [GONE] * 10
    assert table.lookup(Service.ALIAS, "bob") == "x" * 2047
    with pytest.raises(Unavailable):
        table.lookup(Service.ALIAS, "long")


def test_a_server_that_refuses_gives_no_stale_answer(
    tmp_path: Path, server: FakeServer, clock: Clock
) -> None:
    server.rows = {"bob": "here"}
    table = made(tmp_path, "stale 3600", clock=clock)
    assert ask(table, "lookup", "alias", "bob").result == "found"
    server.faults = [ServerRefused("no such relation")]
    assert ask(table, "lookup", "alias", "bob") == ("error", "no such relation")


def test_stale_credentials_must_be_asked_for(
    tmp_path: Path, server: FakeServer, clock: Clock
) -> None:
    for line, result in (("stale_credentials no", "error"), ("stale_credentials yes", "found")):
        server.rows, server.faults = {"bob": "bob:hash"}, []
        table = made(tmp_path, "stale 3600", line, clock=clock)
        assert ask(table, "lookup", "credentials", "bob").result == "found"
        server.faults = [GONE] * 10
        assert ask(table, "lookup", "credentials", "bob").result == result


VERBS = st.sampled_from(["lookup", "check"])
KEYS = st.sampled_from(["bob", "carol", "a.example.org", "eve@example.org", "192.0.2.1"])
STEPS = st.tuples(
    VERBS,
    st.sampled_from([service for service in Service if service is not Service.AUTH]),
    KEYS,
    st.sampled_from([None, GONE, ServerLate("late"), ServerRefused("no"), KeyError("bug")]),
    st.sampled_from([0.0, 0.3, 5.0]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(STEPS, max_size=25), st.sampled_from(["stale 0", "stale 10"]), st.booleans())
def test_no_answer_for_another_key_and_none_that_is_too_old(
    tmp_path: Path, steps: list[tuple[str, Service, str, Exception, float]], line: str, creds: bool
) -> None:
    """The row of a key says which key it is of, and when it was read."""
    clock, server = Clock(), network_fakes.SERVER
    server.faults, server.calls, server.asked = [], [], []
    more = ["stale_credentials yes"] if creds else []
    table = made(tmp_path, line, "match none", *more, clock=clock)
    for verb, service, key, fault, pause in steps:
        server.faults = [] if fault is None else [fault, fault]
        server.rows = {key: f"{service}/{key}/{clock.now}"}
        try:
            answer = getattr(table, verb)(service, key)
        except (Unavailable, KeyError):
            clock.now += pause
            continue
        if verb == "lookup":
            of_service, of_key, read = answer.split("/")
            assert of_key == key
            assert clock.now - float(read) <= (10 if line == "stale 10" else 0)
            if line == "stale 0" or (service is Service.CREDENTIALS and not creds):
                assert (of_service, read) == (service, str(clock.now))
        else:
            assert answer is True
        clock.now += pause


# --- passwords ------------------------------------------------------------------------------------


def test_a_server_that_checks_passwords(tmp_path: Path, server: FakeServer, clock: Clock) -> None:
    table = made(tmp_path, "stale 3600", "stale_credentials yes", backend=AuthBackend, clock=clock)
    server.rows = {"bob:Secret": "x"}
    assert ask(table, "check", "auth", "Bob:Secret").result == "found"
    assert ask(table, "check", "auth", "bob:secret").result == "not-found"
    server.faults = [GONE] * 10
    assert ask(table, "check", "auth", "bob:Secret") == ("error", "gone")
    assert server.asked == [[["auth", "bob:Secret"]], [["auth", "bob:secret"]]]


def test_a_password_is_not_in_the_log(
    tmp_path: Path, server: FakeServer, logged: list[str]
) -> None:
    server.faults = [ServerRefused("no")]
    ask(made(tmp_path, backend=AuthBackend), "check", "auth", "bob:hunter2")
    assert logged
    assert not any("hunter2" in line for line in logged)


# --- start and check ------------------------------------------------------------------------------


def test_it_starts_with_the_server(tmp_path: Path, server: FakeServer, logged: list[str]) -> None:
    server.rows = {"patterns_domain": "*.x"}
    table = made(tmp_path, "patterns_domain yes", backend=AuthBackend)
    table.start()
    assert server.calls == ["connect", "check", "ask"]
    assert logged == []
    table.stop()
    assert server.calls[3:] == ["close"]


def test_it_starts_without_the_server(
    tmp_path: Path, server: FakeServer, logged: list[str], clock: Clock
) -> None:
    server.faults = [GONE]
    table = made(tmp_path, backend=AuthBackend, clock=clock)
    table.start()
    assert logged == ["server-away server=fake reason=gone"]
    with pytest.raises(ServerLost, match="away"):
        table.lookup(Service.ALIAS, "bob")


def test_it_starts_with_what_the_server_finds_wrong(
    tmp_path: Path, server: FakeServer, logged: list[str]
) -> None:
    server.wrong = [["no such column", 2, "see the schema"], ["other", 0, ""]]
    made(tmp_path, backend=AuthBackend).start()
    path = tmp_path / "fake.conf"
    assert logged == [
        f'configuration-unusable reason="{path}:2: no such column; see the schema"',
        f'configuration-unusable reason="{path}: other"',
    ]


@pytest.mark.parametrize(
    "fault", [ServerRefused("no such relation"), LocalError("an array in an array")]
)
def test_it_starts_with_a_list_that_it_cannot_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[str], fault: Exception
) -> None:
    def fetched(_self: FakeBackend, _service: Service, _reply: object) -> list[str]:
        raise fault

    monkeypatch.setattr(FakeBackend, "fetched", fetched)
    table = made(tmp_path, "patterns_domain yes", backend=AuthBackend)
    table.start()
    path = tmp_path / "fake.conf"
    assert logged == [f'configuration-unusable path={path} reason="{fault}"']
    assert ask(table, "check", "domain", "example.org") == ("error", str(fault))
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, "patterns_domain yes", check=True)
    assert str(caught.value) == f"{path}:1: fake: {fault}"


def test_a_check_asks_the_server_and_closes(tmp_path: Path, server: FakeServer) -> None:
    made(tmp_path, check=True)
    assert server.calls == ["connect", "check", "close"]


@pytest.mark.parametrize(
    ("faults", "wrong", "text"),
    [
        ([GONE], [], ":1: fake: gone"),
        ([None, ServerRefused("no")], [], ":1: fake: no"),
        ([], [["no such column", 2, "see it"], ["x", 0, ""]], ":2: no such column; see it"),
        ([None, None, GONE, GONE], [], ":1: fake: gone"),
    ],
)
def test_what_a_check_finds_is_an_error(
    tmp_path: Path,
    server: FakeServer,
    faults: list[Exception],
    wrong: list[list[object]],
    text: str,
) -> None:
    server.faults, server.wrong = list(faults), wrong
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, "patterns_domain yes", check=True)
    assert str(caught.value) == f"{tmp_path}/fake.conf{text}"
    assert server.calls[-1] == "close"


# --- update ---------------------------------------------------------------------------------------


def write(folder: Path, *lines: str) -> None:
    (folder / "fake.conf").write_text("".join(f"{line}\n" for line in lines))


def test_an_update_takes_the_new_configuration(tmp_path: Path, server: FakeServer) -> None:
    table = made(tmp_path)
    server.rows = {"bob": "here"}
    assert ask(table, "lookup", "alias", "bob").result == "found"
    table.smtpd_name = "users"
    write(tmp_path, "host new", "sub_addr_delim -", "timeout 2", "match none")
    assert ask(table, "update").result == "ok"
    assert server.calls == ["connect", "ask", "connect", "check", "close"]
    assert table.delimiter == "-"
    assert table._backend.settings.table == table.smtpd_name
    assert table._backend.plain() == {"host": "new"}
    assert ask(table, "lookup", "alias", "bob").result == "found"


@pytest.mark.parametrize(
    ("lines", "faults", "wrong", "fault"),
    [
        (["host new", "timeout x"], [], [], "fake.conf:2: bad value for timeout"),
        (["host new"], [GONE], [], "gone"),
        (["host new"], [], [["no such column", 1, ""]], "fake.conf:1: no such column"),
        (["host new", "patterns_domain x"], [None, None, GONE, GONE], [], "gone"),
    ],
)
def test_an_update_that_fails_keeps_the_old_one(
    tmp_path: Path,
    server: FakeServer,
    lines: list[str],
    faults: list[Exception],
    wrong: list[list[object]],
    fault: str,
) -> None:
    server.rows = {"bob": "here"}
    table = made(tmp_path)
    assert ask(table, "lookup", "alias", "bob").result == "found"
    write(tmp_path, *lines)
    server.faults, server.wrong = list(faults), wrong
    answer = ask(table, "update")
    assert answer.result == "error"
    assert fault in answer.value
    assert table._backend.plain() == {"host": "there"}
    assert ask(table, "lookup", "alias", "bob").result == "found"


def test_an_update_has_the_time_of_a_lookup(
    tmp_path: Path, server: FakeServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All mail waits for it."""
    untils: list[float] = []

    def checked(_self: object, until: float) -> None:
        untils.append(until)
        raise ServerLate("late")

    table = made(tmp_path, clock=clock)
    monkeypatch.setattr(network_fakes.FakeConnection, "check", checked)
    write(tmp_path, "host new", "timeout 0.3")
    assert ask(table, "update") == ("error", "late")
    assert untils == [1000.3]


# --- rights ---------------------------------------------------------------------------------------


def test_what_the_process_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "fake.conf")
    assert made(tmp_path).needs == Needs(reads=(path,))
    monkeypatch.setattr(FakeBackend, "reads", ("/etc/secret",))
    monkeypatch.setattr(FakeBackend, "needs", Needs(reads=("/etc/ca.pem",), sockets=("/run/x",)))
    assert made(tmp_path).needs == Needs(
        reads=(path, "/etc/secret", "/etc/ca.pem"), sockets=("/run/x",)
    )
    monkeypatch.setattr(FakeBackend, "needs", Needs(network=True))
    needs = made(tmp_path).needs
    assert needs is not None
    assert needs.network
    assert {path, "/etc/secret", "/etc/resolv.conf", "/etc/hosts"} <= set(needs.reads)


def test_a_server_that_the_sandbox_would_not_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = made(tmp_path)
    write(tmp_path, "host new")
    monkeypatch.setattr(needs_module, "_sandboxed", True)
    monkeypatch.setattr(FakeBackend, "needs", Needs(network=True))
    with pytest.raises(ConfigError, match="restart smtpd"):
        table.update()
    monkeypatch.setattr(needs_module, "_sandboxed", False)
    table.update()


def test_an_update_may_go_back_to_a_server_that_the_sandbox_of_the_start_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs_module, "_sandboxed", True)
    monkeypatch.setattr(FakeBackend, "needs", Needs(network=True, sockets=("/run/x",)))
    table = made(tmp_path)
    for needs in (Needs(network=True), Needs(sockets=("/run/y",)), Needs(network=True)):
        monkeypatch.setattr(FakeBackend, "needs", needs)
        table.update()


def test_a_file_may_say_that_there_is_no_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs_module, "_sandboxed", True)
    made(tmp_path, "sandbox no")
    assert not needs_module.sandboxed()


def test_services_and_auth(tmp_path: Path) -> None:
    table = made(tmp_path, "auth_before_7.9 yes")
    assert isinstance(table, NetworkTable)
    assert table.services == frozenset(Service)
    assert table.force_auth
