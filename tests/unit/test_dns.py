"""``make_resolver``: the resolver of a process, and what is loaded for it."""

import subprocess
import sys

import pytest

from opensmtpd.dns import Question, RecordType, make_resolver
from opensmtpd.errors import ConfigError

LOADED = """
import sys
import opensmtpd.dns
import opensmtpd.dns.options
def loaded():
    return [name for name in sys.modules if name.split(".")[0] in ("aiodns", "pycares", "asyncio")]
print(loaded())
opensmtpd.dns.make_resolver()
print(sorted(set(loaded()) & {"aiodns", "pycares", "asyncio"}))
"""


def test_c_ares_is_loaded_before_the_first_question_and_only_for_those_who_ask() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n['aiodns', 'asyncio', 'pycares']\n"


def test_a_new_resolver_knows_no_reply() -> None:
    assert make_resolver().known([Question("example.org", RecordType.A)]) is None


@pytest.mark.parametrize("missing", ["aiodns", "pycares"])
def test_a_package_that_is_missing(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opensmtpd.dns.resolver.channel", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError) as caught:
        make_resolver()
    assert str(caught.value) == (
        f"asking the DNS needs {missing}; pip install 'opensmtpd-plugins[dns]'"
    )


def test_a_cache_file_needs_msgpack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", None)
    with pytest.raises(ConfigError, match="asking the DNS needs msgpack"):
        make_resolver(cache_path="/nonexistent/cache")
