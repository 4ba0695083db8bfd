"""The field itself: its tags, and what is signed of it."""

from base64 import b64decode
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim import signature
from opensmtpd.mail.dkim.canonical_header import finder, relaxed, relaxed_value
from opensmtpd.mail.dkim.keys.keyring import Identity
from opensmtpd.mail.dkim.keys.load import load
from opensmtpd.mail.dkim.signature import Covered, Forms, Template, unsigned
from unit.support.dkim_material import RFC_8463_RSA_PUBLIC, tags

DIGEST = bytes(range(32))


def template(
    domain: str = "example.com",
    selector: str = "mail",
    header: str = "simple",
    forms: Forms | None = None,
) -> Template:
    identity = Identity(domain, selector, "rsa-sha256", b"id")
    return Template(identity, header, "simple", forms=forms)


def digest(data: bytes) -> bytes:
    return sha256(data).digest()


def covered(names: list[bytes], copies: bytes | None = None, *times: bytes) -> Covered:
    return Covered(b"data\r\n", names, DIGEST, copies, times)


def test_tags_and_their_order() -> None:
    field = template().prepare(covered([b"subject", b"from"], b"A:b=0D=0A", b"t=1", b"x=2"))
    lines = field.lines(bytes(range(100)))
    assert list(tags(lines)) == [b"v", b"a", b"c", b"s", b"z", b"t", b"x", b"bh", b"h", b"d", b"b"]
    assert lines == [
        b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; s=mail; z=A:b=0D=0A; t=1;",
        b"\tx=2; bh=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=; h=subject:from;",
        b"\td=example.com; b=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJ",
        b"\tygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWlt",
        b"\tcXV5fYGFiYw==",
    ]
    assert field.digest == digest(
        b"data\r\n"
        b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; s=mail; z=A:b=0D=0A; t=1;\r\n"
        b"\tx=2; bh=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=; h=subject:from;\r\n"
        b"\td=example.com; b="
    )


def test_relaxed_signs_the_field_unfolded() -> None:
    field = template(header="relaxed").prepare(covered([b"from"]))
    assert field.digest == digest(
        b"data\r\n"
        b"dkim-signature:v=1; a=rsa-sha256; c=relaxed/simple; s=mail; bh=AAECAwQFBgcICQ oLDA0ODxAR"
        b"EhMUFRYXGBkaGxwdHh8=; h=from; d=example.com; b="
    )


def test_a_long_selector_and_domain_overflow() -> None:
    selector, domain = "s" * 100, "d" * 90 + ".example"
    lines = template(domain, selector).prepare(covered([b"from"])).lines(b"signature")
    assert lines[:4] == [
        b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple;",
        b"\ts=" + b"s" * 100 + b";",
        b"\tbh=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=; h=from;",
        b"\td=" + b"d" * 90 + b".example;",
    ]
    assert lines[4].startswith(b"\tb=")


def test_h_breaks_behind_colons() -> None:
    names = [b"a" * 30, b"b" * 30, b"c" * 30, b"d" * 80, b"e"]
    lines = template().prepare(covered(names)).lines(b"signature")
    assert lines[1:4] == [
        b"\tLDA0ODxAREhMUFRYXGBkaGxwdHh8=; h=" + b"a" * 30 + b":",
        b"\t" + b"b" * 30 + b":" + b"c" * 30 + b":",
        b"\t" + b"d" * 80 + b":",
    ]
    assert lines[4].startswith(b"\te; d=example.com; b=")


def test_one_template_makes_many_fields() -> None:
    one = template()
    first, second = (one.prepare(covered([b"from"])) for _ in range(2))
    assert first.digest == second.digest
    assert first.lines(b"x") == second.lines(b"x") == first.lines(b"x")


NAMES = st.lists(st.sampled_from([b"from", b"to", b"x-%b", b"%", b"n" * 30]), min_size=1)
TIMES = st.sampled_from([(), (b"t=1",), (b"t=12", b"x=345"), (b"x=9",)])


@given(
    st.sampled_from(["simple", "relaxed"]),
    st.sampled_from(["mail", "100%s", "s" * 60, "s" * 100]),
    st.lists(st.tuples(NAMES, TIMES, st.binary(min_size=32, max_size=32)), max_size=5),
)
def test_a_form_that_is_kept_makes_the_field_that_is_written_anew(
    header: str, selector: str, messages: list[tuple[list[bytes], tuple[bytes, ...], bytes]]
) -> None:
    forms: Forms = {}
    other = template("other.example", header=header, forms=forms)
    one = template(selector=selector, header=header, forms=forms)
    for names, times, body in messages:
        other.prepare(Covered(b"data\r\n", names, body, None, times))
        for each in (body, body[::-1]):  # the second has the form of the first
            what = Covered(b"data\r\n", names, each, None, times)
            plain = unsigned(one.written(what), what.data, header == "relaxed")
            made = one.prepare(what)
            assert made.digest == plain.digest
            assert made.lines(bytes(256)) == plain.lines(bytes(256))


def test_no_client_makes_templates_keep_more_and_more() -> None:
    forms: Forms = {}
    templates = [template(f"{number}.example", forms=forms) for number in range(50)]
    for count in range(1, 40):
        for one in templates:
            one.prepare(covered([b"from"] * count))
            one.prepare(covered([b"from"], None, b"t=%d" % count))
            assert 0 < len(forms) <= signature.FORMS_MAX
    assert all(len(key) <= signature.NAMES_MAX + 1 for key in forms)


def test_a_template_of_one_message_needs_no_forms() -> None:
    plain, kept = (one.prepare(covered([b"from"])) for one in (template(), template(forms={})))
    assert (plain.digest, plain.lines(b"x")) == (kept.digest, kept.lines(b"x"))


def rfc_8463(suites: Path, number: int) -> tuple[bytes, bytes]:
    """Return what a signature of appendix A.3 covers, canonicalized by us, and the signature."""
    message = (suites / "dkim" / "rfc8463-A.3.eml").read_bytes().replace(b"\r\n", b"\n")
    header = b"\n" + message.partition(b"\n\n")[0]
    names = (b"from", b"to", b"subject", b"date", b"message-id")
    found = {field[0].lower(): field for field in finder(names)(header)}
    field = finder((b"dkim-signature",))(header)[number]
    unsigned, tag, signature = field[2].rpartition(b"\n b=")
    data = b"".join(relaxed(found[name]) + b"\r\n" for name in names)
    return data + b"dkim-signature:" + relaxed_value(unsigned + tag), b64decode(signature)


def test_rfc_8463_example_with_ed25519(suites: Path, ed25519_file: str) -> None:
    data, signature = rfc_8463(suites, 0)
    assert load(ed25519_file).sign(digest(data)) == signature


def test_rfc_8463_example_with_rsa(suites: Path) -> None:
    data, signature = rfc_8463(suites, 1)
    key = load_der_public_key(b64decode(RFC_8463_RSA_PUBLIC))
    assert isinstance(key, RSAPublicKey)
    key.verify(signature, data, PKCS1v15(), SHA256())
