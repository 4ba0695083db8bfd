"""U-labels and A-labels. The A-labels were made with the package idna, of IDNA 2008."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim.a_label import to_a_labels


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # not in NFC
        ("BU\u0308CHER.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),  # IDNA 2003 says strasse.example
        ("STRAẞE.example", "xn--strae-oqa.example"),
        ("ΟΔΟΣ.example", "xn--pxavbq.example"),
        ("οδοσ.example", "xn--pxavbq.example"),
        ("οδος.example", "xn--pxavbm.example"),  # a final sigma is a letter of its own
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("правда.рф", "xn--80aafi6cg.xn--p1ai"),
        ("mail.bücher.example", "mail.xn--bcher-kva.example"),
        ("☕.example", "xn--53h.example"),  # no name by IDNA 2008, but there are such names
        ("xn--bcher-kva.EXAMPLE", "xn--bcher-kva.EXAMPLE"),
        ("EXAMPLE.com", "EXAMPLE.com"),
        ("", ""),
        ("ü..", "xn--tda.."),
    ],
)
def test_a_labels(name: str, expected: str) -> None:
    assert to_a_labels(name) == expected


def test_half_a_surrogate_pair() -> None:
    with pytest.raises(UnicodeEncodeError):
        to_a_labels("b\udcfccher.example")


@given(st.text(max_size=20).filter(str.isalnum))
def test_what_idna_2008_accepts_is_encoded_as_it_says(label: str) -> None:
    idna = pytest.importorskip("idna")
    try:
        expected = idna.encode(label).decode("ascii")
    except idna.IDNAError:
        return
    assert to_a_labels(label).lower() == expected.lower()


def test_nothing_is_imported_for_a_name() -> None:
    """smtpd is served while the package may be replaced on disk."""
    code = (
        "import sys; from opensmtpd.mail.dkim.a_label import to_a_labels;"
        " before = set(sys.modules); to_a_labels('b\\u00fccher.example');"
        " print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
