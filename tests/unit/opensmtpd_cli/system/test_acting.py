"""Root with the rights of the owner of a directory, for what opens files by their names."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system import acting
from unit.support.exchange import NOBODY, theirs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def ids() -> tuple[int, int, list[int]]:
    return os.geteuid(), os.getegid(), os.getgroups()


def test_root_stays_root_where_nobody_else_may_write(place: Path) -> None:
    (place / "link").symlink_to("file")
    before = ids()
    with acting.safely(str(place / "link")) as real:
        assert real == str(place / "file")
        assert ids() == before


def test_in_the_directory_of_somebody_root_is_that_somebody(place: Path) -> None:
    theirs(place)
    before = ids()
    with suppress(KeyError), acting.safely(str(place / "file")) as real:
        assert real == str(place / "file")
        assert os.geteuid() == NOBODY
        assert os.getgroups() == [os.getegid()]
        raise KeyError
    assert ids() == before


def test_in_a_directory_of_a_user_that_is_not_there(place: Path) -> None:
    os.chown(place, 54321, 0)
    with acting.safely(str(place / "file")):
        assert ids() == (54321, 54321, [54321])


@pytest.mark.parametrize("mode", [0o775, 0o1777])
def test_a_directory_of_root_that_others_may_write_to(place: Path, mode: int) -> None:
    place.chmod(mode)
    with pytest.raises(ConfigError) as error, acting.safely(str(place / "file")):
        pass
    assert str(error.value) == (
        f"{place}: root must not open a database where its group or others may write;"
        f" chmod go-w {place}"
    )


def test_such_a_directory_may_have_another_remedy(place: Path) -> None:
    place.chmod(0o775)
    with pytest.raises(ConfigError) as error, acting.safely(str(place / "file"), remedy="ask"):
        pass
    assert error.value.remedy == "ask"


def test_who_is_not_root_stays_who_he_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs(place)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with acting.safely(str(place / "file")) as real:
        assert real == str(place / "file")
        assert os.getegid() == 0
