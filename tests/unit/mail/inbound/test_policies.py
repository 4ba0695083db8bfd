"""The administrator's own policies, and the domains below others."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.inbound.policies import above, covers, domain, policies, policy_for


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "policies"
    path.write_text(text)
    return str(path)


def test_a_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "# ours\nexample.com reject\n*.example.com\tquarantine\n*.a.example.com none\n"
        "Bücher.example.  reject\n",
    )
    own = policies([path])
    assert own == {
        "example.com": "reject",
        "*.example.com": "quarantine",
        "*.a.example.com": "none",
        "xn--bcher-kva.example": "reject",
    }
    for name, policy in {
        "example.com": "reject",
        "x.example.com": "quarantine",
        "y.x.example.com": "quarantine",
        "a.example.com": "quarantine",
        "b.a.example.com": "none",
        "xn--bcher-kva.example": "reject",
        "x.xn--bcher-kva.example": None,
        "com": None,
        "": None,
        "badexample.com": None,
    }.items():
        assert policy_for(name, own) == policy, name


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("example.com refuse\n", "1: example.com has no policy; write one of none, quarantine,"),
        ("example.com\n", "1: example.com has no policy; "),
        ("example.com none\n*. reject\n", "2: '' is no domain; write it as example.com"),
        ("exa..mple none\n", "1: 'exa..mple' is no domain"),
    ],
)
def test_a_row_without_meaning(tmp_path: Path, text: str, error: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        policies([path])
    assert str(raised.value).startswith(f"{path}:{error}")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        policies([str(tmp_path / "missing")])


def test_a_domain() -> None:
    assert domain("Example.COM.") == "example.com"
    for text in ("", ".", "a b", "\udc80.example", "a\n.b"):
        with pytest.raises(ConfigError):
            domain(text)


def test_what_is_above_and_what_is_covered() -> None:
    assert list(above("a.b.c")) == ["b.c", "c"]
    assert covers({"b.c"}, "b.c")
    assert covers({"b.c"}, "a.b.c")
    assert not covers({"b.c"}, "ab.c")
    assert not covers({"a.b.c"}, "b.c")
    assert not covers((), "b.c")
