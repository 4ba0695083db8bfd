"""examples/filter_tls_field.py: one field on top, and the message behind it as it was."""

from filter_tls_field import TLSField
from opensmtpd.testing import run_message

MESSAGE = b"Subject: hi\n\nhello\n.\n..\n"


def test_the_field_names_protocol_and_ciphers() -> None:
    outcome = run_message(TLSField(), MESSAGE, tls=True)
    first, _, rest = outcome.message.partition(b"\n")
    assert first == b"X-Client-TLS: TLSv1.3:TLS_AES_256_GCM_SHA384:256"
    assert rest == outcome.received + MESSAGE


def test_the_field_says_none_for_clear_text() -> None:
    outcome = run_message(TLSField(), MESSAGE)
    assert outcome.message == b"X-Client-TLS: none\n" + outcome.received + MESSAGE
