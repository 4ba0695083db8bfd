import pytest

from opensmtpd.backends.redis.place import RedisPlace


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (RedisPlace(), "127.0.0.1:6379"),
        (RedisPlace("::1", 7), "[::1]:7"),
        (RedisPlace("redis.example", 6380, password="secret"), "redis.example:6380"),
        (RedisPlace(path="/run/valkey/s"), "unix:/run/valkey/s"),
    ],
)
def test_the_name_has_no_secret(place: RedisPlace, name: str) -> None:
    assert place.name == name
