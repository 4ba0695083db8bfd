"""What is shown of logins, and what is hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.table import Service
from opensmtpd_cli.plugin.table_secrets import Secrets, hashes_hidden

HASH = "$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (HASH, "***"),
        (f"alice:{HASH}::::::", "alice:***"),
        (f"'{HASH}' is no address", "'*** is no address"),
        ("a {SSHA512}AAAA== b", "a *** b"),
        ("{crypt}$6$a$b", "***"),
        ("$md5,rounds=5$a$b", "***"),
        ("$HOME/$x, 5 $ and 6 $", "$HOME/$x, 5 $ and 6 $"),
        ("remove {CRYPT}, or {PLAIN}: or {SHA}", "remove {CRYPT}, or {PLAIN}: or {SHA}"),
        ("{PLAIN},secret {SHA}:x", "*** ***"),
        ("%{user.username}@x", "%{user.username}@x"),
        ("", ""),
    ],
)
def test_hashes(text: str, shown: str) -> None:
    assert hashes_hidden(text) == shown


@pytest.mark.parametrize(
    ("service", "key", "shown"),
    [
        (Service.ALIAS, "alice", "alice"),
        (Service.ALIAS, f"alice:{HASH}", "alice:***"),
        (Service.CREDENTIALS, "alice", "alice"),
        (Service.CREDENTIALS, "alice:pass:word", "alice:***"),
        (Service.AUTH, "alice:pass:word", "***"),
        (Service.AUTH, "alice", "***"),
        (Service.SOURCE, None, ""),
    ],
)
def test_keys(service: Service, key: str | None, shown: str) -> None:
    assert Secrets().asked(service, key) == shown


def asked(service: Service, key: str) -> Secrets:
    secrets = Secrets()
    secrets.asked(service, key)
    return secrets


@pytest.mark.parametrize("end", ["not-found", "found", "error"])
def test_answers_without_a_value(end: str) -> None:
    for service in Service:
        line = f"check-result|01|{end}"
        assert asked(service, "alice:x").line(line) == line


def test_what_was_found_is_hidden_in_the_log_that_follows() -> None:
    secrets = asked(Service.CREDENTIALS, "alice")
    assert secrets.line("lookup-result|01|found|alice:in clear|x") == (
        "lookup-result|01|found|alice:***"
    )
    assert secrets.text("gave in clear|x") == "gave ***"
    secrets.asked(Service.ALIAS, "in clear|x")
    assert secrets.text("gave in clear|x") == "gave in clear|x"


@given(
    st.sampled_from([Service.CREDENTIALS, Service.AUTH]),
    st.text(st.characters(codec="ascii"), min_size=1).filter(lambda text: ":" not in text),
    st.sampled_from(["lookup-result|01|found|{}", "check-result|1|found|{}", "{}", "x|found|{}|y"]),
)
def test_a_secret_is_never_shown_whatever_stands_around_it(
    service: Service, before: str, form: str
) -> None:
    secret = "Tr0ub4dor&3"
    secrets = asked(service, "alice" if service is Service.CREDENTIALS else f"alice:{secret}")
    assert secret not in secrets.line(form.format(f"{before}:{secret}"))
    assert secret not in secrets.line(form.format(f"{secret}:{before}"))
