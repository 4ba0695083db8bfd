import pytest

from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEnd,
    CaptureEntry,
    CaptureHeader,
    CaptureKind,
    CaptureLoss,
    Speaker,
    entry_value,
    header_value,
    read_entry,
    read_header,
)

NAN, INFINITY = float("nan"), float("inf")
HEADER = CaptureHeader(CaptureKind.TABLE, "table-sqlite", 1.5, 3, 2)


def test_a_header() -> None:
    value = header_value(HEADER)
    assert value == {
        "opensmtpd-capture": 1, "kind": "table", "program": "table-sqlite", "begun": 1.5,
        "part": 3, "handshake": 2,
    }  # fmt: skip
    assert read_header(value) == HEADER


@pytest.mark.parametrize(
    "changed",
    [{"opensmtpd-capture": 2}, {"kind": "x"}, {"program": 1}, {"begun": 1}, {"begun": NAN},
     {"part": True}, {"part": 0}, {"handshake": None}],
)  # fmt: skip
def test_headers_that_are_none(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"it is a capture of a format|its header is damaged"):
        read_header({**header_value(HEADER), **changed})


@pytest.mark.parametrize("value", [None, 1, [], {}, {"x": 1}])
def test_what_is_no_header(value: object) -> None:
    with pytest.raises(ValueError, match="it is no capture"):
        read_header(value)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        (CapturedLines(1.5, Speaker.SMTPD, b"a\nb\n"), [1.5, 0, b"a\nb\n"]),
        (CapturedLines(1.5, Speaker.PLUGIN, b"***\n", True), [1.5, 1, b"***\n", True]),
        (CaptureLoss(2.0, 77), [2.0, 2, 77]),
        (CaptureEnd(2.0, -9), [2.0, 3, -9]),
    ],
)
def test_entries(entry: CaptureEntry, value: list[object]) -> None:
    assert entry_value(entry) == value
    assert read_entry(value) == entry


@pytest.mark.parametrize(
    "value",
    [None, [], [1.0, 0], [1, 0, b"x\n"], [1.0, 9, 1], [1.0, True, b"x\n"], [1.0, 0, b"x"],
     [1.0, 0, b""], [1.0, 0, "x\n"], [1.0, 0, b"x\n", False], [1.0, 2, b"x"], [1.0, 2, 1, 1],
     [1.0, "0", b"x\n"], [1.0, 3, None], [1.0, 0, b"x\n", True, 1],
     [NAN, 3, 0], [INFINITY, 3, 0], [-1.0, 3, 0], [1e300, 3, 0]],
)  # fmt: skip
def test_what_is_no_entry(value: object) -> None:
    with pytest.raises(ValueError, match="a record"):
        read_entry(value)
