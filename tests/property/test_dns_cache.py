"""Laws of the cache file: what goes in comes out, and what was not written by us stays out."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opensmtpd.dns import Absent, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver.cache import CacheEntry
from opensmtpd.dns.resolver.process import cache_file
from opensmtpd.errors import LocalError

NAMES = st.from_regex(r"[a-z0-9_-]{1,10}(\.[a-z0-9_-]{1,10}){0,3}", fullmatch=True)
OCTETS = st.text(st.characters(max_codepoint=255), max_size=20)
RECORDS = {
    RecordType.A: st.ip_addresses(v=4).map(str),
    RecordType.AAAA: st.ip_addresses(v=6).map(str),
    RecordType.PTR: NAMES,
    RecordType.MX: NAMES,
    RecordType.TXT: OCTETS,
}


@st.composite
def entries(draw: st.DrawFn) -> CacheEntry:
    kind = draw(st.sampled_from(sorted(RECORDS)))
    found = st.lists(RECORDS[kind], min_size=1, max_size=3).map(lambda rows: Found(tuple(rows)))
    reply: Reply = draw(found | st.booleans().map(Absent))
    expires = draw(st.floats(min_value=0, max_value=1e10))
    return CacheEntry(Question(draw(NAMES), kind), reply, expires)


@given(st.lists(entries(), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_in_comes_out(tmp_path: Path, some: list[CacheEntry]) -> None:
    path = str(tmp_path / "cache")
    cache_file.save(path, some)
    assert cache_file.load(path) == some


@given(st.binary(max_size=200), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_refused(tmp_path: Path, garbage: bytes, magic: bool) -> None:
    path = tmp_path / "cache"
    path.touch(0o600)
    path.write_bytes((cache_file.MAGIC if magic else b"") + garbage)
    with pytest.raises(LocalError):
        cache_file.load(str(path))
