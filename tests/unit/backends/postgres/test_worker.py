from pathlib import Path

import pytest

from opensmtpd.backends.network.worker import ASK, USE
from opensmtpd.backends.postgres import config
from opensmtpd.backends.postgres.worker import PostgresWorker
from opensmtpd.errors import ServerRefused
from opensmtpd.worker import Pool
from unit.support.postgres_server import Rows, folder_conninfo, place, refusal, serves
from unit.support.scripted_server import scripted


def answer(_name: str, key: str) -> Rows | bytes:
    return refusal(b"42501", b"denied") if key == "bad" else [[key[::-1].encode()]]


def plain(folder: Path) -> dict[str, object]:
    statement = ["query_alias", "SELECT d FROM a WHERE n = $1", 3, 1, False]
    return {"options": folder_conninfo(folder), "prepare": True, "statements": [statement]}


def test_its_questions(tmp_path: Path) -> None:
    worker = PostgresWorker()
    with scripted(place(tmp_path), serves(answer)):
        assert worker.handle([USE, 1, plain(tmp_path), 5.0]) is None
        assert worker.handle([ASK, 1, [["query_alias", "abc"]], 5.0]) == [[["cba"]]]
        with pytest.raises(ServerRefused, match="denied"):
            worker.handle([ASK, 1, [["query_alias", "bad"]], 5.0])
        worker.handle([3, 1, None, 1.0])


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    needs = [[], [], False, False, False, False, False, [str(place(tmp_path))]]
    pool = Pool(config.WORKER, needs)
    try:
        with scripted(place(tmp_path), serves(answer)):
            pool.request([USE, 1, plain(tmp_path), 5.0], 5.0)
            replies = pool.request([ASK, 1, [["query_alias", "abc"]], 5.0], 5.0)
            assert replies == [[["cba"]]]
            for number in range(50):
                key = f"k{number}"
                question = [ASK, 1, [["query_alias", key]], 5.0]
                assert pool.request(question, 5.0) == [[[key[::-1]]]]
            pool.close()
    finally:
        pool.close()
