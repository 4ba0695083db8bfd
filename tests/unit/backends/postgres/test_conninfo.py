from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.postgres import conninfo
from opensmtpd.backends.postgres.conninfo import (
    PostgresPlace,
    check_signs,
    name_of,
    parsed,
    sockets,
    string,
    targets,
)
from opensmtpd.backends.postgres.libpq import Error, pq


def of_libpq(text: str) -> dict[str, str] | None:
    """Return what libpq reads, None where it reads nothing."""
    try:
        options = pq.Conninfo.parse(text.encode())
    except Error:
        return None
    return {
        each.keyword.decode(): each.val.decode("utf-8", "surrogateescape")
        for each in options
        if each.val
    }


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("host=a dbname=b", {"host": "a", "dbname": "b"}),
        (" host = a  dbname\t=\tb ", {"host": "a", "dbname": "b"}),
        ("password='it''s'", None),
        (r"password='it\'s \\ = 1' user=x\ y", {"password": r"it's \ = 1", "user": "x y"}),
        ("password='' user=u", {"user": "u"}),
        ("password= user=u", {"password": "user=u"}),
        ("host=/run/postgresql", {"host": "/run/postgresql"}),
        ("options='-c a=b'", {"options": "-c a=b"}),
        ("postgresql://", {}),
        ("postgres://u:p%40@h:1/d", {"user": "u", "password": "p@", "host": "h", "port": "1",
                                     "dbname": "d"}),
        ("postgresql://h1:1,h2/d", {"host": "h1,h2", "port": "1,", "dbname": "d"}),
        ("postgresql://[::1]:5/d", {"host": "::1", "port": "5", "dbname": "d"}),
        ("postgresql://%2Frun%2Fpg/d?sslmode=require", {"host": "/run/pg", "dbname": "d",
                                                       "sslmode": "require"}),
        ("postgresql:///d?host=/run/pg&user=u", {"dbname": "d", "host": "/run/pg", "user": "u"}),
        ("postgresql://h/d?ssl=true", {"host": "h", "dbname": "d", "sslmode": "require"}),
        ("host", None),
        ("host a", None),
        ("password='open", None),
        ("postgresql://h/d?novalue", None),
        ("postgresql://h/d%zz", None),
        ("postgresql://a:b:c/d", {"host": "a", "port": "b:c", "dbname": "d"}),
    ],
)  # fmt: skip
def test_strings(text: str, options: dict[str, str] | None) -> None:
    """What it reads is what libpq reads."""
    if options is None:
        with pytest.raises(ValueError):  # noqa: PT011  the text is tested below
            parsed(text)
    else:
        assert {name: value for name, value in parsed(text).items() if value} == options
    assert of_libpq(text) == options


@pytest.mark.parametrize("text", ["password=s3cret s3cret", "password='s3cret", "s3cret"])
def test_an_error_has_nothing_of_the_string(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(a word without '='|a quote that does not end)$"):
        parsed(text)


@pytest.mark.parametrize("password", ["se/cret", "se@cret", "12/cret", "s3/@c", "@", "/"])
def test_a_password_that_ends_too_soon(password: str) -> None:
    """libpq would take a part of it for a port, a host or a database, and the log has these."""
    with pytest.raises(ValueError, match=r"^a second '@', or one behind a '/': in a password, w"):
        check_signs(f"postgres://mail:{password}@db.example.org/mail")


@pytest.mark.parametrize(
    "text",
    [
        "postgres://mail:s3cret@db/mail",
        "postgresql://mail@db/mail?options=a@b",
        "postgresql:///mail?host=@abstract",
        "postgresql://db1:5432,db2/mail",
        "host=db password='a/b@c@d' dbname=e@f",
    ],
)
def test_strings_with_signs_in_their_places(text: str) -> None:
    check_signs(text)


@pytest.mark.parametrize("port", ["se", "1,x", "-1", "²"])
def test_a_port_that_is_no_number(port: str) -> None:
    with pytest.raises(ValueError, match=r"^a port that is no number$"):
        targets({"host": "a,b" if "," in port else "a", "port": port})


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NAMES = st.sampled_from(["host", "port", "user", "password", "dbname", "options", "sslmode"])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_words_as_libpq_reads_them(pairs: list[tuple[str, str]]) -> None:
    """What is written quoted comes back, from this reader and from libpq."""
    options = dict(pairs)
    place = PostgresPlace(options.pop("host", ""), "", options.pop("port", ""))
    text = string(options, place).decode()
    wanted = {**conninfo.OWN, **options, "host": place.host, "port": place.port}
    assert {n: v for n, v in parsed(text).items() if v} == {n: v for n, v in wanted.items() if v}
    assert of_libpq(text) == {name: value for name, value in wanted.items() if value}


SIGNS = st.text(st.sampled_from("host=postgresql://user:@,[]/?&% \\'ab1\t"), max_size=24)


@given(SIGNS, st.sampled_from(["", "postgresql://", "postgres://"]))
def test_nothing_but_a_value_error(text: str, scheme: str) -> None:
    """And what libpq does not read it need not read, but for what it may be."""
    text = scheme + text
    try:
        found = parsed(text)
    except ValueError:
        return
    assert all(isinstance(value, str) for value in found.values())
    known = of_libpq(text)
    if known is not None and " " not in text:  # a URI may have some before libpq 17
        assert {name: value for name, value in found.items() if value} == known


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({}, [("", "", "5432")]),
        ({"host": "a"}, [("a", "", "5432")]),
        ({"host": "a,b", "port": "1"}, [("a", "", "1"), ("b", "", "1")]),
        ({"host": "a,b", "port": "1,"}, [("a", "", "1"), ("b", "", "5432")]),
        ({"hostaddr": "192.0.2.1,::1"}, [("", "192.0.2.1", "5432"), ("", "::1", "5432")]),
        ({"host": "a,b", "hostaddr": "::1,"}, [("a", "::1", "5432"), ("b", "", "5432")]),
    ],
)  # fmt: skip
def test_targets(options: dict[str, str], places: list[tuple[str, str, str]]) -> None:
    assert targets(options) == [PostgresPlace(*place) for place in places]


def test_targets_that_do_not_fit() -> None:
    for options in ({"host": "a,b", "port": "1,2,3"}, {"host": "a,b,c", "hostaddr": "::1,::2"}):
        with pytest.raises(ValueError, match="not equally long"):
            targets(options)


def test_local_targets() -> None:
    local = [PostgresPlace(host, "", "1").local for host in ("", "/run", "@name", "a")]
    assert local == [True, True, True, False]
    assert not PostgresPlace("", "192.0.2.1", "1").local


def test_sockets() -> None:
    assert sockets({"host": "/run/pg,a,@abstract", "port": "5433"}) == ("/run/pg/.s.PGSQL.5433",)
    assert sockets({}) == (
        "/var/run/postgresql/.s.PGSQL.5432",
        "/run/postgresql/.s.PGSQL.5432",
        "/tmp/.s.PGSQL.5432",
    )


def test_names() -> None:
    assert name_of({"host": "a,b", "dbname": "d", "password": "p"}) == "a,b/d"
    assert name_of({"host": "a", "hostaddr": "192.0.2.1"}) == "192.0.2.1/"
    assert name_of({"dbname": "d"}) == "local/d"
    assert name_of({"service": "mail"}) == "service mail"


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in conninfo.ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PGHOST", "from-environment")
    monkeypatch.setenv("PGPORT", "1")
    assert conninfo.with_environment({"port": "2"}) == {"host": "from-environment", "port": "2"}


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    own, named = tmp_path / ".pgpass", tmp_path / "passwords"
    own.touch()
    named.touch()
    options = {"passfile": str(named), "sslcert": "/does/not/exist", "sslrootcert": "system"}
    found = conninfo.files(options)
    assert {str(own), str(named), "/etc/passwd"} <= set(found)
    assert not {"/does/not/exist", "system"} & set(found)
