"""The scripts, as texts; ``integration/state`` runs them."""

from opensmtpd.backends.state.steps import ALLOW, COUNT, GET, GREYLIST, PUT, WHITE
from opensmtpd.backends.state.valkey.scripts import scripts


def test_there_is_one_for_each_step_of_a_key() -> None:
    assert set(scripts()) == {COUNT, ALLOW, GREYLIST, GET, PUT, WHITE}


def test_each_has_a_name_of_its_own_on_the_server() -> None:
    names = {script._name for script in (*scripts().values(), *scripts("local now = 1").values())}
    assert len(names) == 12


def test_the_clock_is_the_servers() -> None:
    for script in scripts().values():
        assert b"redis.call('TIME')" in script._text


def test_numbers_keep_all_their_digits() -> None:
    """``tostring`` and ``..`` have 14 of them, and microseconds since 1970 have 16."""
    for script in scripts().values():
        assert b"tostring" not in script._text
        assert script._text.count(b"%.0f %.0f %.0f") == 1
