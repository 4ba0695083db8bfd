"""Encoded words as they are shown: literal values, and those that the library writes."""

from email.header import Header

import pytest

from opensmtpd.mail.headers.encoded import CHARSETS, shown

VALUE_MAX = 16 * 1024


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("hello", "hello"),
        ("", ""),
        ("=?", "=?"),
        ("?=", "?="),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?Q?Gr=c3=bc=c3=9fe?=", "Grüße"),
        ("=?iso-8859-1?q?Gr=FC=DFe_aus?= Ulm", "Grüße aus Ulm"),
        ("=?iso-2022-jp?b?GyRCOiMkOSQwOVhGfhsoQg==?=", "今すぐ購入"),
        ("=?koi8-r?B?y9XQydTY?=", "купить"),
        ("=?windows-1252?q?a=80?=", "a€"),
        ("=?gb2312?b?ubrC8g==?=", "购买"),
        # aliases, and the language of RFC 2231
        ("=?utf8?q?=C3=A9?=", "é"),
        ("=?latin1?q?=E9?=", "é"),
        ("=?ks_c_5601-1987?b?sKE=?=", "가"),
        ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
        ("=?iso-8859-8-i?q?=F9=EC?=", "של"),
        ("=?x-cp1251?q?=EA=F3?=", "ку"),
        ("=?cp866?q?=AA=E3?=", "ку"),
        ("=?windows-31j?b?jaE=?=", "今"),
        ("=?TIS-620?q?=A1?=", "ก"),
        ("=?iso-2022-kr?b?GyQpQw4wIQ8=?=", "가"),
        # blanks between words are not shown, others are
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=  \t =?koi8-r?q?b?=", "ab"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?=C3=A9?= =?latin1?q?=E9?=", "éé"),
        ("  =?utf-8?q?a?=  ", "  a  "),
        ("=?utf-8?q?a?= b =?utf-8?q?c?= d", "a b c d"),
        ("x =?utf-8?q?a_?= =?utf-8?q?b?=", "x a b"),
        ('"=?utf-8?q?PayPal?=" <a@b.example>', '"PayPal" <a@b.example>'),
        # a character that two words share
        ("=?utf-8?q?=C3?= =?utf-8?q?=A9t=C3=A9?=", "été"),
        ("=?utf-8?b?w6k=?= =?utf-8?q?=C3?=", "é\N{REPLACEMENT CHARACTER}"),
        # base64 without its end, with too much, with blanks in it
        ("=?utf-8?b?YnV5?=", "buy"),
        ("=?utf-8?b?YnU?=", "bu"),
        ("=?utf-8?b?Yn U=?=", "bu"),
        ("=?utf-8?b?YnV5Y?=", "buy"),
        ("=?utf-8?b?YnV5====?=", "buy"),
        ("=?utf-8?b??=", ""),
        # what the RFC forbids, and programs that show mail take
        ("=?utf-8?q?buy now?=", "buy now"),
        ("=?utf-8?q?what??=", "what?"),
        ("=?utf-8?q?a?b=?=", "a?b"),
        # words that are none
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?utf-8?q?a?", "=?utf-8?q?a?"),
        ("=??q?a?=", "=??q?a?="),
        ("=? utf-8?q?a?=", "=? utf-8?q?a?="),
        ("=?nope?q?a?=", "=?nope?q?a?="),
        ("=?rot13?q?a?=", "=?rot13?q?a?="),
        ("=?idna?q?a?=", "=?idna?q?a?="),
        # one of these hides no other
        ("=?nope?q?_?= =?utf-8?q?buy_now?=", "=?nope?q?_?= buy now"),
        ("=?utf-8?b?Y?= =?utf-8?b?YnV5?=", "buy"),
        ("=?nope?q?=?utf-8?q?buy?=", "=?nope?q?buy"),
        ("=?utf-8?q?a =?utf-8?q?buy?=", "=?utf-8?q?a buy"),
        ("=?utf-8?q?a?= =?nope?q?b?= =?utf-8?q?c?=", "a =?nope?q?b?= c"),
        # no text at all
        ("=?utf-7?q?+2AA-?=", "?"),
    ],
)
def test_values(value: str, text: str) -> None:
    assert shown(value.encode()).decode() == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\xff\xfe", b"\xff\xfe"),
        (b"\xe9 =?utf-8?q?a?= \xe9", b"\xe9 a \xe9"),
        (b"=?\xff?q?a?=", b"=?\xff?q?a?="),
        (b"=?utf-8?q?\xff?=", "\N{REPLACEMENT CHARACTER}".encode()),
        (b"=?utf-8?b?\xff\xfe?=", b""),
        (b"=?utf-8?q?a\rb?=", b"a\rb"),
        (b"=?utf-8?q?=00?=", b"\0"),
        (b"=?iso-2022-jp?q?=1B$B?=", b""),
    ],
)
def test_bytes(value: bytes, text: bytes) -> None:
    assert shown(value) == text


TEXTS = {
    "utf-8": "Grüße, 今すぐ, купить: " * 5,
    "iso-8859-1": "Grüße aus Köln, " * 8,
    "iso-8859-15": "100 € für Sie " * 8,
    "iso-2022-jp": "今すぐ購入" * 12,
    "euc-jp": "今すぐ購入" * 12,
    "shift_jis": "今すぐ購入" * 12,
    "koi8-r": "купить сейчас " * 8,
    "windows-1251": "купить сейчас " * 8,
    "big5": "購買" * 20,
    "gb18030": "购买" * 20,
    "euc-kr": "지금구매" * 20,
}


@pytest.mark.parametrize(("charset", "text"), TEXTS.items(), ids=TEXTS)
def test_what_the_library_writes(charset: str, text: str) -> None:
    """In several words: the text is long."""
    written = Header(text.strip(), charset).encode()
    assert written.count("=?") > 1
    assert shown(written.replace("\n", "").encode()).decode() == text.strip()


@pytest.mark.parametrize("name", sorted(CHARSETS))
def test_each_charset_decodes_all_bytes(name: str) -> None:
    label = name.replace("_", "-").encode()
    value = b"=?%b?q?%b?=" % (label, b"".join(b"=%02X" % byte for byte in range(256)))
    assert shown(value) != value
    assert shown(value).decode()


@pytest.mark.parametrize(
    "value",
    [
        b"=?a?q?x" * 2340,
        b"=?" * 8192,
        (b"=?a?q?x" * 2340)[:-2] + b"?=",
        b"=?utf-8?q?" * 1638,
        b"=?utf-8?q?" + b"?" * 16_000,
        b"=?utf-8?q?" + b"=" * 16_000,
        b"=?" + b"a" * 16_000,
    ],
)
def test_words_without_an_end(value: bytes) -> None:
    """The library needs the square of the time for more of them: these would take it minutes."""
    assert shown(value * 50)


@pytest.mark.parametrize(
    "label",
    [
        *("gb_2312-80", "x-gbk", "cn-big5", "x-x-big5", "big5-hkscs", "x-sjis", "x-euc-jp"),
        *("windows-949", "johab", "iso-2022-jp-2", "windows-874", "dos-874", "x-cp1258"),
        *("iso-8859-8-e", "logical", "visual", "macintosh", "x-mac-roman", "x-mac-cyrillic"),
    ],
)
def test_a_name_of_a_charset_hides_no_ascii(label: str) -> None:
    assert shown(f"=?{label}?q?buy_now?=".encode()) == b"buy now"
