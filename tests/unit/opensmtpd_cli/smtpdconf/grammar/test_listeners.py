"""The directive ``listen``."""

from pathlib import Path

import pytest

from opensmtpd_cli.smtpdconf.directives import Listener
from unit.support.smtpd_conf import inline, named, place, read


def only(folder: Path, text: str) -> Listener:
    configuration = read(folder, f"{text}\n")
    assert configuration.rest == []
    [listener] = configuration.listeners
    return listener


def test_all_that_a_listener_can_say(tmp_path: Path) -> None:
    text = (
        'listen on eth0 inet6 port 2525 tls-require verify pki a.example pki "b.example" '
        "ca *.example auth <users> mask-src senders <map> masquerade filter { a, b c } "
        "hostname mx.example hostnames <names> tag T no-dsn proxy-v2 received-auth "
        'ciphers "HIGH" protocols "TLSv1.2"'
    ).replace("*.example", '"*.example"')
    assert only(tmp_path, text) == Listener(
        place=place(tmp_path, 1),
        where="eth0",
        port=2525,
        family="inet6",
        tls="tls-require verify",
        pki=("a.example", "b.example"),
        ca="*.example",
        auth="auth",
        auth_table=named("users"),
        filters=("a", "b", "c"),
        hostname="mx.example",
        hostnames=named("names"),
        senders=named("map"),
        masquerade=True,
        mask_src=True,
        tag="T",
        no_dsn=True,
        proxy_v2=True,
        received_auth=True,
        ciphers="HIGH",
        protocols="TLSv1.2",
    )


def test_a_listener_that_says_nothing(tmp_path: Path) -> None:
    assert only(tmp_path, "listen on lo") == Listener(place(tmp_path, 1), "lo", 25)


def test_the_socket_has_no_port(tmp_path: Path) -> None:
    wanted = Listener(place(tmp_path, 1), "socket", 0, filters=("a",), mask_src=True)
    assert only(tmp_path, 'listen on socket filter "a" mask-src') == wanted


@pytest.mark.parametrize(
    ("words", "port"),
    [
        ("", 25),
        ("tls pki x", 25),
        ("smtps pki x", 465),
        ("smtps verify pki x", 465),
        ("smtps port 587 pki x", 587),
        ("port smtp", 25),
        ("port smtps", 465),
        ("port submission", 587),
        ("port submissions", 465),
        ("port 10025", 10025),
        ('port "26"', 26),
        ("port no-such-service", 0),
        ("port 99999999999999999999", 0),
    ],
)
def test_the_port(tmp_path: Path, words: str, port: int) -> None:
    assert only(tmp_path, f"listen on 192.0.2.1 {words}").port == port


@pytest.mark.parametrize(
    ("words", "tls"),
    [
        ("tls", "tls"),
        ("tls-require", "tls-require"),
        ("tls-require verify", "tls-require verify"),
        ("smtps", "smtps"),
        ("smtps verify", "smtps verify"),
    ],
)
def test_the_mode_of_tls(tmp_path: Path, words: str, tls: str) -> None:
    assert only(tmp_path, f"listen on lo {words} pki x").tls == tls


def test_auth_with_and_without_a_table(tmp_path: Path) -> None:
    listener = only(tmp_path, "listen on lo tls pki x auth-optional tag T")
    assert (listener.auth, listener.auth_table, listener.tag) == ("auth-optional", None, "T")
    listener = only(tmp_path, "listen on lo tls pki x auth { a = b }")
    assert listener.auth_table
    assert [(row.key, row.value) for row in listener.auth_table.rows or ()] == [("a", "b")]
    assert only(tmp_path, "listen on lo tls pki x auth users").auth_table == inline("users")


def test_a_filter_over_lines(tmp_path: Path) -> None:
    text = "listen on lo filter {\n  a,\n  b\n} tag \\\n T"
    listener = only(tmp_path, text)
    assert (listener.filters, listener.tag) == (("a", "b"), "T")


def test_words_of_another_smtpd_are_passed_over(tmp_path: Path) -> None:
    text = "listen on lo shiny { filter x } <t> filter real newer 7 tag T"
    configuration = read(tmp_path, text)
    [listener] = configuration.listeners
    assert (listener.where, listener.filters, listener.tag) == ("lo", ("real",), "T")
    [other] = configuration.rest
    assert other.place == place(tmp_path, 1)
    assert other.words[:4] == ("listen", "on", "lo", "shiny")


@pytest.mark.parametrize("text", ["listen", "listen on", "listen lo", "listen on {", "listen on 5"])
def test_what_listens_nowhere(tmp_path: Path, text: str) -> None:
    configuration = read(tmp_path, text + (" a }" if text.endswith("{") else ""))
    assert configuration.listeners == []
    assert len(configuration.rest) == 1
