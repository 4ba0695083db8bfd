"""The data of one judged message: what gets through, and how harmless it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dmarc.reports.record import (
    JudgedMessage,
    SignatureOutcome,
    best_first,
    checked,
    harmless,
)
from opensmtpd.worker.frames import FrameBuffer, pack
from unit.support.dmarc_messages import PASSED, POLICY, SPARED, message


def crossed(data: object) -> Any:
    """Return data as it comes out of a frame on its way to the worker."""
    return next(iter(FrameBuffer().feed(pack(data))))


@pytest.mark.parametrize("results", [PASSED, SPARED])
def test_a_message_crosses_to_the_worker_as_it_is(results: Any) -> None:
    assert checked(crossed(message(results))) == message(results)


def test_texts_of_strangers_are_made_harmless() -> None:
    found = checked(
        crossed(
            message(
                header_from="a\n<b>\xe9\udc80",
                signatures=(SignatureOutcome("x" * 300, "\x00s", "pass"),),
                rua="mailto:a@b\r\n",
            )
        )
    )
    assert found.results.header_from == "a?<b>??"
    assert found.results.signatures == (SignatureOutcome("x" * 255, "?s", "pass"),)
    assert found.rua == "mailto:a@b??"


def test_only_whole_uris_are_kept() -> None:
    uris = ",".join(f"mailto:reports-{number:04}@example.com" for number in range(200))
    kept = checked(message(rua=uris)).rua
    assert len(kept) <= 4000
    assert kept.split(",")[-2:] == ["mailto:reports-0124@example.com", ""]
    assert checked(message(rua="x" * 5000)).rua == ""


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        "text",
        [],
        [1, 2, 3],
        {},
        message()._replace(time=-1),
        message()._replace(time=1.5),  # type: ignore[arg-type]
        message()._replace(rua=None),  # type: ignore[arg-type]
        message(policy=POLICY._replace(p="")),
        message(policy=POLICY._replace(adkim="")),
        message(policy=POLICY._replace(aspf="rs")),
        message(policy=POLICY._replace(domain=7)),  # type: ignore[arg-type]
        message(policy=POLICY[:-1]),
        message(disposition="drop"),
        message(dkim="none"),
        message(reasons=[["because", ""]]),
        message(reasons={}),
        message(signatures=[["a", "b"]]),
        message(signatures=5),
        message(spf_results=[["a", "hardfail", "mfrom"]]),
        message(spf_results=[["a", "pass", "helo"]]),
    ],
)
def test_data_that_no_report_can_have_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        checked(data)


plain = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=11) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@given(plain)
def test_any_other_data_is_a_value_error(data: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        checked(data)


@given(st.text(), st.integers(0, 40))
def test_harmless_text_is_printable_and_bounded(text: str, limit: int) -> None:
    found = harmless(text, limit)
    assert len(found) == min(len(text), limit)
    assert all(" " <= each <= "~" for each in found)


def test_signatures_are_reported_best_first() -> None:
    bad = SignatureOutcome("example.com", "a", "fail")
    other = SignatureOutcome("example.net", "b", "pass")
    relaxed = SignatureOutcome("news.example.com", "c", "pass")
    strict = SignatureOutcome("example.com", "d", "pass")
    found = best_first([bad, other, relaxed, strict], "example.com", ["news.example.com"])
    assert found == (strict, relaxed, other, bad)


def test_a_hundred_signatures_are_reported() -> None:
    many = [SignatureOutcome(f"{number}.example", "s", "fail") for number in range(150)]
    good = SignatureOutcome("example.com", "s", "pass")
    found = best_first([*many, good], "example.com", [])
    assert (len(found), found[0]) == (100, good)
    sent = message()._replace(results=PASSED._replace(signatures=(*many, good)))
    assert len(checked(sent).results.signatures) == 100


def test_a_message_is_plain_data() -> None:
    assert JudgedMessage(*message()) == message()
    assert isinstance(crossed(message()), list)
