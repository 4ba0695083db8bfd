"""The structure of chains, and hostile headers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.arc.chain import (
    MESSAGE,
    NAMES,
    RESULTS,
    SEAL,
    Chain,
    find_chain,
    results_instance,
)
from opensmtpd.mail.dkim.verify.signed_data import Fields
from unit.support.perm_error import any_perm_error, perm_error


def one_set(instance: int | str, cv: str) -> list[bytes]:
    return [
        f"ARC-Seal: i={instance}; cv={cv}; b=AAAA".encode(),
        f"ARC-Message-Signature: i={instance}; b=AAAA".encode(),
        f"ARC-Authentication-Results: i={instance}; mx.example; none".encode(),
    ]


def sets(count: int) -> list[bytes]:
    """Return the fields of a chain, newest first."""
    numbers = range(count, 0, -1)
    return [line for at in numbers for line in one_set(at, "pass" if at > 1 else "none")]


def found(lines: list[bytes]) -> Chain | None:
    return find_chain(Fields(b"".join(b"\n" + line for line in lines)))


def fault(lines: list[bytes]) -> tuple[str, int, bool]:
    chain = found(lines)
    assert chain is not None
    assert chain.sets == []
    return chain.fault, chain.instance, chain.ended


def test_no_field_is_no_chain() -> None:
    assert found([]) is None
    assert found([b"From: a@example.org", b"X-ARC-Seal: i=1"]) is None


@pytest.mark.parametrize("count", [1, 2, 9, 49, 50])
def test_sets_in_any_order(count: int) -> None:
    for lines in (sets(count), sets(count)[::-1], sorted(sets(count))):
        chain = found(lines)
        assert chain is not None
        assert (chain.fault, chain.instance, chain.ended) == ("", count, count == 50)
        assert len(chain.sets) == count
        for number, one in enumerate(chain.sets, 1):
            assert [each.field[0].lower() for each in one] == [RESULTS, MESSAGE, SEAL]
            assert one.message.tags[b"i"] == one.seal.tags[b"i"] == b"%d" % number
            assert one.results.field[2].startswith(b" i=%d;" % number)


def test_names_in_any_case_and_obsolete_white_space() -> None:
    lines = [line.replace(b": ", b" \t:\n\t").upper().replace(b"I=", b"i=") for line in sets(1)]
    lines[0] = lines[0].replace(b"CV=NONE", b"cv=none")
    chain = found(lines)
    assert chain is not None
    assert chain.fault == ""


@pytest.mark.parametrize("kind", NAMES)
def test_a_field_that_lacks_or_is_there_twice(kind: bytes) -> None:
    def is_it(line: bytes) -> bool:
        return line.lower().startswith(kind + b": i=2;")

    lines = sets(3)
    name = NAMES[kind]
    lacking = [line for line in lines if not is_it(line)]
    assert fault(lacking) == (f"no {name} of instance 2", 3, False)
    twice = lines + [line for line in lines if is_it(line)]
    assert fault(twice) == (f"{name}: two of instance 2", 3, False)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (one_set(0, "none"), ("ARC-Authentication-Results: instance 0", 0, False)),
        ([*one_set(0, "none"), *sets(1)], ("ARC-Authentication-Results: instance 0", 1, False)),
        (one_set(51, "pass"), ("instance above 50", 50, True)),
        ([*one_set(51, "pass"), *sets(50)], ("more than 50 sets", 50, True)),
        (one_set(100, "pass"), ("ARC-Authentication-Results: no instance", 0, False)),
        (one_set("-1", "none"), ("ARC-Authentication-Results: no instance", 0, False)),
        (one_set(2, "pass"), ("no ARC-Authentication-Results of instance 1", 2, False)),
        ([*sets(1), *one_set(2, "none")], ("cv= of instance 2 is not pass", 2, False)),
        (one_set(1, "pass"), ("cv= of instance 1 is not none", 1, False)),
        (one_set(1, "None"), ("cv= of instance 1 is not none", 1, False)),
        ([*sets(1), *one_set(2, "fail")], ("ARC-Seal of instance 2 says cv=fail", 2, True)),
        (
            [*one_set(1, "fail"), *one_set(2, "pass")],
            ("cv= of instance 1 is not none", 2, False),
        ),
        ([b"ARC-Seal: i=1"], ("no ARC-Authentication-Results of instance 1", 1, False)),
        ([b"ARC-Seal: cv=none"], ("ARC-Seal: i= missing", 0, False)),
        ([b"ARC-Seal: i=1; i=1"], ("ARC-Seal: i= twice", 0, False)),
        ([b"ARC-Seal: \xff"], ("ARC-Seal: not a list of tags", 0, False)),
        ([b"ARC-Message-Signature:"], ("ARC-Message-Signature: i= missing", 0, False)),
    ],
)
def test_broken_rules(lines: list[bytes], expected: tuple[str, int, bool]) -> None:
    assert fault(lines) == expected


def test_the_chain_of_rfc_8617_appendix_b() -> None:
    chain = found(
        [
            b"ARC-Seal: i=3; a=rsa-sha256; cv=pass; d=clochette.example.org; s=\n"
            b"        clochette; t=12345; b=CU87XzXlNlk5X/yW4l73UvPUcP9ivwYWxyBWcVrRs7\n"
            b"        +HPx3K05nJhny2fvymbReAmOA9GTH/y+k9kEc59hAKVg==",
            b"ARC-Message-Signature: i=3; a=rsa-sha256; c=relaxed/relaxed; d=\n"
            b"        clochette.example.org; h=message-id:date:from:to:subject; s=\n"
            b"        clochette; t=12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZYL\n"
            b"        Q=; b=o71vwyLsK+Wm4cOSlirXoRwzEvi0vqIjd/2/GkYFYlSd/GGfKzkAgPqxf",
            b"ARC-Authentication-Results: i=3; clochette.example.org; spf=fail\n"
            b"        smtp.from=jqd@d1.example; dkim=fail (512-bit key)\n"
            b"        header.i=@d1.example; dmarc=fail; arc=pass (as.2.gmail.example=pass,\n"
            b"        ams.2.gmail.example=pass, as.1.lists.example.org=pass,\n"
            b"        ams.1.lists.example.org=fail (message has been altered))",
            *sets(2),
        ]
    )
    assert chain is not None
    assert (chain.fault, chain.instance, len(chain.sets)) == ("", 3, 3)
    assert chain.sets[2].seal.tags[b"d"] == b"clochette.example.org"


@pytest.mark.parametrize(
    ("value", "instance"),
    [
        (b" i=1; a", 1),
        (b"i=50;", 50),
        (b"\n\ti\n = \t7 ; x; i=8", 7),
        (b" (a (b\\) ;) i=2;) i (=3;) = 04 (;) ;", 4),
        (b" i=51;", 51),
        (b"(" * 498 + b")" * 498 + b"i=1;", 1),
    ],
)
def test_the_instance_of_results(value: bytes, instance: int) -> None:
    assert results_instance(value) == instance


@pytest.mark.parametrize(
    "value",
    [b"", b" i=1", b" mx.example; i=1;", b" I=1;", b" i=;", b" i=a;", b" i=100;", b" (i=1;",
     b" )i=1;", b"(" * 498 + b")" * 498 + b" i=1;", b"(" * 1_900_000],
)  # fmt: skip
def test_results_without_an_instance(value: bytes) -> None:
    with perm_error("no instance"):
        results_instance(value)


@given(st.binary(max_size=60) | st.text(alphabet="i=1 ;()\\\t\n", max_size=60).map(str.encode))
def test_any_results(value: bytes) -> None:
    with any_perm_error():
        assert 1 <= results_instance(value) <= 99


@given(
    st.lists(
        st.builds(
            bytes.__add__,
            st.sampled_from([name + b":" for name in NAMES]),
            st.text(alphabet="i=cv123 ;passfailnone\t\r", max_size=30).map(str.encode),
        ),
        max_size=12,
    )
)
def test_any_fields(lines: list[bytes]) -> None:
    chain = found(lines)
    assert (chain is None) == (not lines)
    if chain is not None:
        assert bool(chain.sets) != bool(chain.fault)
        assert 0 <= chain.instance <= 50
        assert chain.fault.isascii()
        assert chain.fault.isprintable()


@pytest.mark.parametrize(
    "lines",
    [
        [b"ARC-Seal: i=1; cv=none"] * 20_000,
        [b"ARC-Authentication-Results: " + b"(" * 65_000] * 4,
        [b"ARC-Authentication-Results: i" + b" " * 65_000 + b"1;"] * 4,
        [b"ARC-Authentication-Results: i=1" + b"()" * 30_000 + b";"] * 4,
        [b"ARC-Seal: " + b"i=1;" * 16_000] * 4,
        [b"ARC-Seal: " + b";" * 65_000] * 4,
        [b"ARC-Seal" + b" " * 65_000] * 4,
    ],
    ids=["seals", "comments", "blanks", "pairs", "tags", "semicolons", "gap"],
)
def test_hostile_headers_cost_little(lines: list[bytes]) -> None:
    begin = time.process_time()
    chain = found(lines)
    assert time.process_time() - begin < 1
    assert chain is None or chain.fault
