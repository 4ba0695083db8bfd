"""Lists that table-sqlite gives one by one, beside the C original."""

import time
from pathlib import Path

import pytest

from integration.support.table_pair import SERVICES, Both, connect, lay_out


def sources(folder: Path, *addresses: object) -> None:
    with connect(folder) as db:
        db.execute("DELETE FROM sources")
        db.executemany("INSERT INTO sources VALUES (?)", [(address,) for address in addresses])
    db.close()


def fetch(both: Both, times: int) -> list[bytes]:
    return [both.ask(b"fetch", "source").removeprefix(b"found|") for _ in range(times)]


def test_fetch_goes_round_in_the_order_of_bytes(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    sources(tmp_path, "192.0.2.10", "192.0.2.9", "192.0.2.10", "2001:db8::", "É", "Z", "a", 5)
    with Both(trixie_root, conf) as both:
        turn = [b"192.0.2.10", b"192.0.2.9", b"2001:db8::", b"5", b"Z", b"a", "É".encode()]
        assert fetch(both, 15) == [*turn, *turn, turn[0]]


def test_fetch_from_nothing(trixie_root: Path, tmp_path: Path) -> None:
    with Both(trixie_root, lay_out(tmp_path)) as both:
        assert fetch(both, 3) == [b"not-found"] * 3


def test_fetch_of_other_services(trixie_root: Path, tmp_path: Path) -> None:
    with Both(trixie_root, lay_out(tmp_path)) as both:
        for service in SERVICES:
            if service != "source":
                assert both.ask(b"fetch", service) == b"error"


def test_fetch_without_a_query(trixie_root: Path, tmp_path: Path) -> None:
    conf = "dbpath {folder}/test.db\nquery_source SELECT value FROM one WHERE key = ?\n"
    with Both(trixie_root, lay_out(tmp_path, conf)) as both:
        assert both.ask(b"fetch", "source") == b"error"
        assert both.ask(b"lookup", "source", b"k") == b"not-found"


FETCH = "dbpath {folder}/test.db\nfetch_source SELECT address FROM sources\n"


@pytest.mark.parametrize(
    ("refresh", "expected"),
    [
        (3, [b"a", b"b", b"c", b"a", b"b", b"c", b"a"]),
        (4, [b"a", b"b", b"c", b"d", b"a", b"b", b"c"]),
        (6, [b"a", b"b", b"c", b"d", b"a", b"b", b"a"]),
        (0, [b"a"] * 7),
        (1, [b"a"] * 7),
        (1000, [b"a", b"b", b"c", b"d", b"a", b"b", b"c"]),
    ],
)
def test_fetch_reads_again_after_so_many_calls(
    trixie_root: Path, tmp_path: Path, refresh: int, expected: list[bytes]
) -> None:
    conf = lay_out(tmp_path, FETCH + f"fetch_source_refresh {refresh}\n")
    sources(tmp_path, *"abcd")
    with Both(trixie_root, conf) as both:
        assert fetch(both, 7) == expected


def test_fetch_sees_changes_when_it_reads_again(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path, FETCH + "fetch_source_refresh 5\n")
    sources(tmp_path, "a", "b")
    with Both(trixie_root, conf) as both:
        assert fetch(both, 2) == [b"a", b"b"]
        sources(tmp_path, "c")
        assert fetch(both, 4) == [b"a", b"b", b"a", b"c"]
        sources(tmp_path)
        assert fetch(both, 5) == [b"c", b"c", b"c", b"c", b"not-found"]
        sources(tmp_path, "d")
        assert both.ask(b"update") == b"ok"
        assert fetch(both, 1) == [b"d"]


def test_fetch_reads_again_after_a_time(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path, FETCH + "fetch_source_expire 1\n")
    sources(tmp_path, "a")
    with Both(trixie_root, conf) as both:
        assert fetch(both, 1) == [b"a"]
        sources(tmp_path, "b")
        time.sleep(2)
        assert fetch(both, 1) == [b"b"]
