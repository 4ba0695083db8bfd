"""No memory, at any line of the engine: each request of smtpd's has one answer all the same."""

from pathlib import Path

import pytest

from opensmtpd import _protocol
from unit.support.lookups import HELLO, REQUESTS, Rows, Talk, answer, lookup
from unit.support.no_memory import failing_at

ENGINE = str(Path(next(iter(_protocol.__path__))))


@pytest.mark.parametrize("verb", REQUESTS)
@pytest.mark.parametrize("hello", [HELLO, HELLO.replace(b"7.9", b"7.6")], ids=["7.9", "7.6"])
def test_no_memory_at_any_line(verb: str, hello: bytes) -> None:
    good = Talk(Rows("alice"), hello=hello).say(REQUESTS[verb])
    head = b"|".join(good.split(b"|")[:2])
    number, failed = 0, []
    while True:
        talk = Talk(Rows("alice"), hello=hello)
        out = b""
        with failing_at(number, ENGINE) as struck:
            talk.protocol.receive(REQUESTS[verb], 0.0)
            try:
                out += talk.protocol.data_to_send()
            except MemoryError:  # the loop calls it again
                out += talk.protocol.data_to_send()
        out += talk.protocol.data_to_send()
        if not struck:
            break
        number += 1
        if out != good and not (out.count(b"\n") == 1 and out.startswith(head + b"|error")):
            failed.append((struck[0], out))
        assert talk.say(lookup()) == answer(b"found|found it"), struck
    assert not failed
    assert number > 1
