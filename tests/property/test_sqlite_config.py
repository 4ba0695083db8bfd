"""The configuration of table-sqlite is read as the C program's own loop reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.sqlite.config import read

SPACE = b" \t\n\v\f\r"


def c_loop(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return what ``table_sqlite_update`` takes for keys and values (those that have any)."""
    found = []
    for line in data.split(b"\n"):
        key = line.partition(b"\0")[0].strip(SPACE)
        if not key or key.startswith(b"#"):
            continue
        ends = [key.find(each) for each in (b" ", b"\t", b":") if each in key]
        if not ends:  # strsep() leaves no value
            continue
        key, value = key[: min(ends)], key[min(ends) + 1 :]
        while value:
            colon = value[:1] == b":" and value[1:2] and value[1:2] in SPACE
            if value[:1] not in SPACE and not colon:
                break
            value = value[1:]
        if value:
            found.append((key, value))
    return found


PIECES = [
    b"dbpath",
    b"query_domain",
    b" ",
    b"\t",
    b":",
    b"\n",
    b"\r",
    b"\v",
    b"#",
    b"x",
    b"\xc3\xa9",
]
PIECES.append(b"\0")


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_it_is_the_c_programs_grammar(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.conf"
    path.write_bytes(b"dbpath /first\nquery_alias SELECT 1\n" + data)
    config = read(str(path))
    pairs = c_loop(data)
    queries = [value for key, value in pairs if key == b"query_domain"]
    paths = [value for key, value in pairs if key == b"dbpath"]
    statement = config.statements.get("query_domain")
    assert config.dbpath.encode("utf-8", "surrogateescape") == (paths or [b"/first"])[-1]
    if statement is None:
        assert queries == []
    else:
        assert statement.sql.encode("utf-8", "surrogateescape") == queries[0]
