"""Configuration files of table-sqlite beside the C original: what counts, and what does not."""

import random
from pathlib import Path

import pytest

from integration.support.table_pair import SERVICES, Both, connect, kind, lay_out
from lab.peers.table_client import Died, TableClient, original, ours

ALIAS = "query_alias SELECT value FROM one WHERE key = ?"
OTHER = "query_alias SELECT 'other' WHERE ? = 'k'"


def answers(command: list[str], conf: Path) -> list[bytes] | None:
    """Return the answers of a program to one key, None if it does not start or knows none."""
    try:
        with TableClient(command, conf) as table:
            found = [table.lookup(service, b"k") for service in SERVICES]
            found += [table.fetch("source") for _ in range(3)]
    except Died:
        return None
    kinds = [kind(answer) for answer in found]
    return None if set(kinds) == {b"error"} else kinds


def add_one(folder: Path) -> None:
    with connect(folder) as db:
        db.execute("INSERT INTO one VALUES ('k', 'one')")
    db.close()


CONFIGURATIONS = (
    "dbpath {db}\n" + ALIAS,
    "\n\n # a comment\n#\n \t\n  dbpath   {db}  \n\t" + ALIAS + " \t \n",
    "dbpath\t{db}\nquery_alias\tSELECT 'one' WHERE ? = 'k'\n",
    "dbpath:{db}\nquery_alias:SELECT value FROM one WHERE key = ?\n",
    "dbpath: {db}\nquery_alias : SELECT value FROM one WHERE key = ?\n",
    "dbpath {db}\nquery_alias :SELECT value FROM one WHERE key = ?\n",
    "dbpath {db}\nquery_alias : : SELECT value FROM one WHERE key = ?\n",
    "dbpath {db}\nquery_alias\vSELECT value FROM one WHERE key = ?\n" + ALIAS,
    "dbpath :{db}\n" + ALIAS,
    "dbpath : : {db}\n" + ALIAS,
    "dbpath  :  :{db}\n" + ALIAS,
    "dbpath ::{db}\n" + ALIAS,
    "dbpath {db}\r\n" + ALIAS + "\r\n",
    "dbpath {db}\v\n" + ALIAS + "\f\n",
    "\v\fdbpath\v{db}\n" + ALIAS,
    "dbpath {db}\n" + ALIAS + "\n" + OTHER,
    "dbpath {db}\n" + ALIAS + "\nquery_alias nonsense\n",
    "dbpath {db}\n" + ALIAS + "\nquery_alias\n",
    "dbpath /nowhere/x.db\ndbpath {db}\n" + ALIAS,
    "dbpath {db}\n" + ALIAS + "\nfetch_source SELECT 'x'\nfetch_source SELECT 'y'\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source SELECT 'x' UNION SELECT 'y'\nfetch_source_refresh 1\n"
    "fetch_source_refresh 2\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire x\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire -1\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire 2147483648\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire 2147483647\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire 60s\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire 1.5\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire +60\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire 007\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_expire 00000000000000000000060\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_refresh\n",
    "dbpath {db}\n" + ALIAS + "\nfetch_source_refresh 99999999999999999999\n",
    "dbpath {db}\n" + ALIAS + "\nbogus value\nbogus\nquery_bogus SELECT 1\nQUERY_DOMAIN SELECT 1\n",
    "dbpath {db}\n" + ALIAS + "\nquery_alias2 SELECT 1\nquery SELECT 1\n",
    "dbpath {db}\n" + ALIAS + "\n:novalue x\n: x\n",
    "dbpath {db}\n" + ALIAS + " -- # no comment\n",
    "dbpath {db}\nquery_alias SELECT 'one' \\\nWHERE ? = 'k'\n",
    "dbpath {db}\nquery_alias SELECT 'one', 'two' WHERE ? = 'k'\n",
    "dbpath {db}\nquery_userinfo SELECT 1, 2 WHERE ? = 'k'\n",
    "dbpath {db}\nquery_credentials SELECT 1, 2, 3 WHERE ? = 'k'\n",
    "dbpath {db}\nquery_alias SELECT missing FROM one WHERE key = ?\n",
    "dbpath {db}\nquery_alias SELECT value FROM missing WHERE key = ?\n",
    "dbpath {db}\nquery_alias nonsense\n",
    "dbpath {db}\nquery_alias SELECT 'ä' WHERE ? = 'k'\n",
    "# \udcff\ndbpath {db}\n" + ALIAS,
    "dbpath {db}\n" + "x" * 100_000 + " y\n" + ALIAS,
    "dbpath {db}\n\n" + ALIAS,
    "dbpath {db}\nquery_alias SELECT 'o:n:e' WHERE ? = 'k'\n",
    "dbpath {db}\nquery_alias SELECT ':' || ' : ' WHERE ? = 'k'\n",
    "dbpath {db}\nquery_alias: :SELECT 1 WHERE ? = 'k'\n",
    "\ufeffdbpath {db}\n" + ALIAS,
    "dbpath {db}#x\n" + ALIAS,
)


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_configuration_files(trixie_root: Path, tmp_path: Path, text: str) -> None:
    conf = lay_out(tmp_path, text.replace("{db}", "{folder}/test.db"))
    add_one(tmp_path)
    mine = answers(ours("table-sqlite"), conf)
    assert mine == answers(original(trixie_root, "table-sqlite"), conf)


def test_random_configuration_files(trixie_root: Path, tmp_path: Path) -> None:
    """The same keys count, with the same values, whatever stands between and around them."""
    dice = random.Random("configuration")
    for number in range(25):
        folder = tmp_path / str(number)
        folder.mkdir()
        conf = lay_out(folder, odd_configuration(dice))
        add_one(folder)
        mine = answers(ours("table-sqlite"), conf)
        assert mine == answers(original(trixie_root, "table-sqlite"), conf), conf.read_bytes()


def odd_configuration(dice: random.Random) -> str:
    """Return lines that C reads one way or the other, of all kinds and in any order."""
    columns = {"credentials": "'u', 'h'", "userinfo": "1, 2, '/'"}

    def line() -> tuple[str, str]:
        service = dice.choice(SERVICES)
        match dice.randrange(8):
            case 0:
                return "fetch_source", f"SELECT '{dice.choice('abc')}' UNION SELECT value FROM one"
            case 1:
                return "fetch_source_refresh", str(dice.randrange(4))
            case 2:
                return dice.choice(("bogus", "query_", "Query_alias", "dbpath2")), "some value"
            case 3:
                return dice.choice(("query_alias", "query_source", "# query_alias", "bogus")), ""
            case _:
                cells = columns.get(service, f"'{dice.choice('vwx')}'")
                return f"query_{service}", f"SELECT {cells} FROM one WHERE key = ?"

    def space() -> str:
        return "".join(dice.choices(" \t\v\f\r", k=dice.choice((0, 0, 1, 3))))

    lines = [("dbpath", "{folder}/test.db"), *(line() for _ in range(dice.randrange(12)))]
    dice.shuffle(lines)
    between = (" ", "\t", ":", "  ", ": ", " : ", " :\t", "::  ", " ::", "\v", ":\f")
    weights = (9, 4, 4, 4, 4, 4, 1, 1, 0.1, 0.1, 1)
    return "\n".join(
        space() + key + dice.choices(between, weights)[0] + value + space() for key, value in lines
    ) + dice.choice(("", "\n", "\n\n"))


def test_update_takes_a_new_configuration(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path, "dbpath {folder}/test.db\nquery_alias SELECT 'old' WHERE ? != ''\n")
    with Both(trixie_root, conf) as both:
        assert both.ask(b"lookup", "alias", b"k") == b"found|old"
        conf.write_text(conf.read_text().replace("old", "new").replace("alias", "domain"))
        assert both.ask(b"lookup", "alias", b"k") == b"found|old"
        assert both.ask(b"update") == b"ok"
        assert both.ask(b"lookup", "alias", b"k") == b"error"
        assert both.ask(b"lookup", "domain", b"k") == b"found|new"
