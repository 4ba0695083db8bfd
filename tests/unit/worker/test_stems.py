import selectors
import socket

import pytest

from opensmtpd.worker.ends import GONE, StemEnd, WorkerEnd
from opensmtpd.worker.stems import PAUSE, Stems
from opensmtpd.worker.worker import FORKED, HELLO, KILLED, VALUE


class Stage:
    """The stems of a crew whose first stem is played by the test."""

    def __init__(self) -> None:
        ours, self.other = socket.socketpair()
        self.first = StemEnd(ours)
        self.first.pid, self.first.serves = 100, True
        GONE.clear()
        self.gone = GONE
        self.stems = Stems(self.first, selectors.DefaultSelector(), None)


def worker(pid: int) -> WorkerEnd:
    ours, _theirs = socket.socketpair()
    end = WorkerEnd(ours, 0.0)
    end.pid = pid
    return end


def test_an_heir_is_ordered_and_gets_its_name() -> None:
    stage = Stage()
    stage.stems.repair(1.0)
    assert len(stage.stems) == 2
    _, heir = stage.stems
    stage.stems.take(stage.first, FORKED, 101)
    assert (heir.pid, heir.serves) == (101, False)
    stage.stems.take(heir, HELLO, 101)
    assert heir.serves


def test_one_that_ended_before_its_id_was_known_is_waited_for() -> None:
    stage = Stage()
    stage.stems.repair(1.0)
    _, heir = stage.stems
    stage.stems.lose(heir, 1.0)
    assert list(stage.gone) == [0]
    stage.stems.take(stage.first, FORKED, 101)
    assert list(stage.gone) == [0, 101]


def test_one_that_could_not_begin_is_replaced_later() -> None:
    stage = Stage()
    stage.stems.repair(1.0)
    _, heir = stage.stems
    stage.stems.lose(heir, 1.0)
    stage.stems.repair(1.0)
    assert (len(stage.stems), stage.stems.pause) == (1, 1.0 + PAUSE)
    stage.stems.repair(1.0 + PAUSE)
    assert (len(stage.stems), stage.stems.pause) == (2, None)


def test_the_last_is_missed(capfd: pytest.CaptureFixture[str]) -> None:
    stage = Stage()
    stage.stems.lose(stage.first, 1.0)
    assert capfd.readouterr().err.startswith("stems-lost remedy=")
    assert stage.stems.copy() is None
    stage.stems.repair(9.0)
    assert len(stage.stems) == 0


def test_only_one_of_two_is_passed_over() -> None:
    stage = Stage()
    stage.stems.repair(1.0)
    stage.stems.pass_over()
    stage.stems.pass_over()
    assert len(stage.stems) == 1
    assert list(stage.gone) == [100]


def test_a_copy_is_ordered_of_the_stem_that_obeys() -> None:
    stage = Stage()
    stage.stems.repair(1.0)
    stage.stems.take(stage.first, FORKED, 101)
    _, heir = stage.stems
    assert stage.stems.copy() is not None
    assert (len(stage.first.asked), len(heir.asked)) == (1, 0)
    assert stage.stems.copy() is not None  # the first has not answered yet
    assert (len(stage.first.asked), len(heir.asked)) == (1, 1)


def test_what_a_stem_was_told_to_kill_is_waited_for_when_it_has() -> None:
    stage = Stage()
    late = worker(7)
    stage.stems.kill(late)
    stage.gone.clear()
    stage.stems.take(stage.first, KILLED, 7)
    assert list(stage.gone) == [7]


def test_what_a_stem_did_not_kill_is_killed_by_its_heir() -> None:
    stage = Stage()
    stage.stems.repair(1.0)
    _, heir = stage.stems
    stage.stems.kill(worker(7))
    stage.stems.pass_over()  # it is stopped, and so does not obey
    assert list(stage.gone) == [100]
    stage.stems.take(heir, KILLED, 7)
    assert list(stage.gone) == [100, 7]


def test_or_when_that_stem_is_gone() -> None:
    stage = Stage()
    stage.stems.kill(worker(7))
    stage.stems.lose(stage.first, 1.0)
    assert sorted(stage.gone) == [7, 100]


@pytest.mark.parametrize(
    ("kind", "pid"), [(FORKED, 7), (KILLED, 7), (VALUE, 7), (HELLO, "7"), (HELLO, None), (9, 1)]
)
def test_nonsense(kind: int, pid: object) -> None:
    stage = Stage()
    with pytest.raises((ValueError, TypeError, LookupError)):
        stage.stems.take(stage.first, kind, pid)
