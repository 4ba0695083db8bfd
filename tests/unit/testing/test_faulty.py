import pytest

from opensmtpd.errors import ConfigError, WorkerError
from opensmtpd.testing.faulty import Faulty
from opensmtpd.worker import Pool
from unit.support.workers import ECHO


def faulty(faults: dict[str, str], deadline: float = 10) -> Pool:
    return Pool(Faulty, [ECHO, faults, "setup"], deadline=deadline)


def test_without_a_fault_it_is_the_other_worker() -> None:
    pool = faulty({})
    assert pool.loaded == ["loaded", "setup"]
    assert [pool.request(each) for each in (1, 2, "setup")] == [1, 2, "setup"]
    with pytest.raises(WorkerError, match="not this one"):
        pool.request("refuse")
    pool.close()


def test_a_fault_that_is_none() -> None:
    with pytest.raises(ConfigError, match="no such fault: dye; one of die, hang"):
        faulty({"1": "dye"})


def test_a_worker_with_a_loop_of_its_own() -> None:
    with pytest.raises(ConfigError, match="Faulty has a loop of its own, which knows no faults"):
        Pool(Faulty, ["opensmtpd.testing.faulty:Faulty", {}, None])


@pytest.mark.parametrize("fault", ["die", "garbage", "stray"])
def test_one_death_is_repaired_and_the_request_asked_again(fault: str) -> None:
    pool = faulty({"2": fault})
    assert [pool.request(each) for each in range(6)] == list(range(6))
    pool.close()


@pytest.mark.parametrize("fault", ["die", "garbage", "stray"])
def test_a_fault_at_each_request_refuses_it(fault: str) -> None:
    pool = faulty({"all": fault})
    with pytest.raises(WorkerError, match="died of this request, twice"):
        pool.request("x")
    pool.close()


def test_it_hangs_and_is_slow() -> None:
    pool = faulty({"1": "hang"}, deadline=0.3)
    with pytest.raises(WorkerError, match="no answer in time"):
        pool.request("x")
    pool.close()
    pool = faulty({"all": "slow"})
    assert pool.request("x") == "x"
    pool.close()
