"""Files of rules: how they are read, which are refused, and what their rules do with a header."""

import re
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.filter import Reject
from opensmtpd.mail.headers.rules import TOO_LONG, HeaderRules, HeaderVerdict
from unit.support.ruled_mail import OWN, after, follow, line_of, read

HEADER = (
    b"From: Bob <bob@spam.example>\n"
    b"To: alice@example.com\n"
    b"Subject: buy\n now\n"
    b"X-Internal-Id: 1\n"
    b"x-internal-Host: \xff\n"
)
NOTHING = HeaderVerdict()


# --- actions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("reject Subject /buy now/", Reject(550, "5.7.1 Message refused")),
        ('reject Subject "buy now"', Reject(550, "5.7.1 Message refused")),
        ('reject Subject /buy/ "5.7.1 We buy nothing"', Reject(550, "5.7.1 We buy nothing")),
        ("reject Subject /buy/ No", Reject(550, "No")),
        ('reject Subject /buy/ ""', Reject(550, "5.7.1 Message refused")),
        ('reject Subject /buy/ "554 5.6.0 No"', Reject(554, "5.6.0 No")),
        ('reject Subject /buy/ "451  4.7.1 Later"', Reject(451, "4.7.1 Later")),
        ("reject Subject /buy/ 554", Reject(554, "5.7.1 Message refused")),
        ("reject Subject /buy/ 450", Reject(450, "4.7.1 Message refused")),
        ('reject Subject /buy/ "421 4.3.2 Bye"', Reject(421, "4.3.2 Bye")),
        ('reject Subject /buy/ "250 2.0.0 Ok"', Reject(550, "250 2.0.0 Ok")),
        ('reject Subject /buy/ "5500 of them"', Reject(550, "5500 of them")),
        ("reject * /buy/", Reject(550, "5.7.1 Message refused")),
        ("reject X-*-Id 1", Reject(550, "5.7.1 Message refused")),
    ],
)
def test_reject(line: str, refusal: Reject) -> None:
    verdict, _ = follow(line, HEADER)
    assert verdict.refusal is not None
    assert verdict.refusal.wire("commit") == refusal.wire("commit")
    assert (verdict.line, verdict.junk, verdict.too_long) == (1, False, False)


def test_junk() -> None:
    assert follow("junk From *@spam.example*", HEADER) == (
        HeaderVerdict(None, 1, True),
        OWN + HEADER,
    )
    assert follow("junk From *@spam.example", HEADER) == (NOTHING, OWN + HEADER)


@pytest.mark.parametrize(
    ("line", "gone"),
    [
        ("remove X-Internal-*", (b"X-Internal-Id: 1\n", b"x-internal-Host: \xff\n")),
        ("remove x-internal-id", (b"X-Internal-Id: 1\n",)),
        ("remove X-Internal-* /1/", (b"X-Internal-Id: 1\n",)),
        ("remove * /^.$/", (b"X-Internal-Id: 1\n", b"x-internal-Host: \xff\n")),
        ("remove Subject", (b"Subject: buy\n now\n",)),
        ("remove *", (HEADER,)),
    ],
)
def test_remove(line: str, gone: tuple[bytes, ...]) -> None:
    wanted = HEADER
    for each in gone:
        wanted = wanted.replace(each, b"")
    assert follow(line, HEADER) == (NOTHING, OWN + wanted)


def test_replace() -> None:
    """The name stays as the client wrote it, and the field where it stood."""
    assert after("replace subject * hello", HEADER) == HEADER.replace(
        b"Subject: buy\n now\n", b"Subject: hello\n"
    )
    assert after('replace X-Internal-* * "a  b"', HEADER).endswith(
        b"X-Internal-Id: a  b\nx-internal-Host: a  b\n"
    )
    assert after('replace * *@spam.example* ""', HEADER).startswith(b"From:\n")
    assert after("replace * *@ham.example* x", HEADER) == HEADER


def test_add() -> None:
    """On top, above smtpd's own field; the last rule is the topmost."""
    rules = 'add X-One 1\nadd X-Two "2 of them"\nadd X-One "grüß dich"\n'
    assert follow(rules, HEADER)[1] == (
        "X-One: grüß dich\nX-Two: 2 of them\nX-One: 1\n".encode() + OWN + HEADER
    )


@pytest.mark.parametrize("ours", [True, False])
def test_privacy(ours: bool) -> None:
    header = b"Received: from c\n\tby d\nUser-Agent: x\n" + HEADER
    cut = b"Received: by example.com (OpenSMTPD) with ESMTP id 1;\n\tdate\n"
    assert follow("privacy", header, ours=ours)[1] == (cut + HEADER if ours else OWN + header)


def test_smtpds_own_field_is_safe() -> None:
    rules = (
        "remove *\nremove Received\nreplace Received * x\nreject Received *\njunk * *192.0.2.5*\n"
    )
    assert follow(rules, b"Received: forged\n") == (NOTHING, OWN)
    # also where a rule has put one of its name above, or has cut it
    assert follow("add Received x\nremove Received", b"") == (NOTHING, OWN)
    assert follow("privacy\nremove Received", b"", ours=True)[1].startswith(b"Received: by exam")


# --- order ----------------------------------------------------------------------------------------


def test_each_rule_sees_what_those_above_have_left() -> None:
    rules = """
        replace Subject "buy now" changed
        remove X-Internal-Id
        add X-New 1
        reject X-Internal-Id *
        reject Subject *buy*
        junk Subject changed
        remove X-New
    """
    assert follow(rules, HEADER) == (
        HeaderVerdict(None, 7, True),
        OWN + HEADER.replace(b"buy\n now", b"changed").replace(b"X-Internal-Id: 1\n", b""),
    )


def test_the_first_that_refuses_ends_it() -> None:
    rules = "junk Subject *\nreject To nobody one\nreject To * two\nreject From * three\n"
    verdict, _ = follow(rules, HEADER)
    assert verdict.refusal is not None
    assert (verdict.line, verdict.refusal.text, verdict.junk) == (3, "two", False)


def test_the_first_that_junks_is_told() -> None:
    assert line_of("junk To nobody\njunk To *\njunk From *\n", HEADER) == 2


def test_one_field_of_several_is_enough() -> None:
    assert line_of("reject Subject /two/", b"Subject: one\nSubject: two\n") == 1


def test_no_header() -> None:
    rules = "reject * *\njunk * *\nremove *\nreplace * * x\nadd X-New 1\nprivacy\n"
    assert follow(rules, b"") == (NOTHING, b"X-New: 1\n" + OWN)


def test_lines_that_are_no_fields() -> None:
    header = b"no field\n folded\n: x\n\xff: y\nA : blank\n"
    assert after("remove no*\nremove * y\nreplace A * b", header) == header.replace(
        b"A : blank", b"A: b"
    )


def test_a_name_that_leaves_no_room_for_a_value() -> None:
    long = b"X-" + b"a" * 60_000
    value = "y" * 900
    assert after(f"replace X-* * {value}", long + b": 1\nX-B: 1\n") == b"X-B: %b\n" % value.encode()


# --- work -----------------------------------------------------------------------------------------


def test_too_much_work() -> None:
    rules = read("add X-New 1\n" + "remove Nothing\n" * 999)
    assert follow(rules, HEADER)[0] == NOTHING
    verdict, _ = follow(rules, b"A: b\n" * 8000)
    assert verdict[::2] == (TOO_LONG, False)
    assert verdict.too_long
    assert 2 < verdict.line < 1000
    assert follow(rules, HEADER)[0] == NOTHING


@pytest.mark.parametrize(
    ("rules", "fields"),
    [
        ("remove Y\n" * 200, 8000),
        ("reject * *nothing*\n" * 30, 8000),
        ("reject * /b{3}/\n" * 30, 8000),
        ("replace * * x\n" * 10, 8000),
        ("add X 1\n" * 50_000, 1),
    ],
    ids=["names", "values", "expressions", "edits", "new fields"],
)
def test_all_that_takes_time_is_work(rules: str, fields: int) -> None:
    assert follow(rules, b"A: b\n" * fields)[0].too_long


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("reject Subject /buy now/", 1),
        ("\n\n# why\n   \t\n\treject\tSubject\t/buy now/\t# why", 5),
        ("reject Subject /buy now/\r\n", 1),
        ("reject Subject /buy now/ #", 1),
        ('reject Subject "/buy now/"', 1),
        ('"reject" "Subject" "buy now"', 1),
        ("# ü\nreject Subject /buy now/", 2),
        ("reject Subject *now", 1),
        ("reject Subject b*y?now", 1),
        ("reject X-Internal-Id 1", 1),
    ],
)
def test_lines(text: str, line: int) -> None:
    assert line_of(text, HEADER) == line


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("plain", "plain"),
        ("#5", None),
        ("a#5", "a#5"),
        ('"#5"', "#5"),
        (r'"say \"no\""', 'say "no"'),
        (r'"back\\slash"', "back\\slash"),
        (r'"C:\new"', r"C:\new"),
        (r'"\\"', "\\"),
        ('"a b"', "a b"),
        ('" a "', " a "),
        ("/usr/bin", "/usr/bin"),
        ("/a b/", "/a b/"),
        ("a\N{NO-BREAK SPACE}b", "a\N{NO-BREAK SPACE}b"),
        ("'a", "'a"),
        ("'a b'", None),
        ('"a', None),
        ('"a"b', None),
        ('a"b', None),
        ('a"b c"', None),
        (r'"a\"', None),
        ("/a b", None),
    ],
)
def test_words(word: str, value: str | None) -> None:
    """Of which the last is seen as the value of a new field."""
    line = f"add X {word}"
    if value is None:
        with pytest.raises(ConfigError):
            read(line)
    else:
        assert read(line).rules[0].value == value.encode()


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r"/say \"no\"/", b'say "no"'),
        (r"""/say "no"/""", b'say "no"'),
        (r'"/say \"no\"/"', b'say "no"'),
        (r'"/^a\.b$/"', b"a.b"),
        (r'"/^a\\.b$/"', b"a.b"),
        (r"/^a\\$/", b"a\\"),
        (r"/^a\/b$/", b"a/b"),
        ("/#1/", b"we are #1"),
        ("*#1", b"we are #1"),
        (r'"?\"*"', b'a"b'),
        ("[*]*", b"[offer] x"),
        ("/[/]/", b"a/b"),
    ],
)
def test_patterns_in_lines(pattern: str, value: bytes) -> None:
    assert line_of(f"junk X {pattern}", b"X: " + value + b"\n") == 1
    assert line_of(f"junk X {pattern}", b"X: axb\n") == 0


WRITE_REJECT = "write: reject FIELD PATTERN [TEXT]"
QUOTES = ", with quotes around what has blanks"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("rejct Subject /x/", 1, "'rejct' is no action: did you mean reject?"),
        ("\n\nREJECT Subject /x/", 3, "'REJECT' is no action: there are reject, junk, remove,"),
        ("/^Subject: buy/ REJECT", 1, "'/^Subject: buy/' is no action: there are"),
        ("reject Subject", 1, WRITE_REJECT),
        ("reject", 1, WRITE_REJECT),
        ("reject Subject /x/ We buy nothing", 1, WRITE_REJECT + QUOTES),
        ("junk Subject buy now", 1, "write: junk FIELD PATTERN" + QUOTES),
        ("junk Subject #1", 1, "write: junk FIELD PATTERN;"),
        ("remove", 1, "write: remove FIELD [PATTERN];"),
        ("replace Subject /x/", 1, "write: replace FIELD PATTERN VALUE;"),
        ("add X-A b c", 1, "write: add FIELD VALUE" + QUOTES),
        ("privacy on", 1, "write: privacy;"),
        ("reject Subject: /x/", 1, "'Subject:' is no name of a field"),
        ("remove Betreff-ü", 1, "'Betreff-ü' is no name of a field"),
        ("add X-* 1", 1, "'X-*' is no name of a new field"),
        ("reject Subject /buy now/i", 1, "'/buy' begins as an expression, and is none: write /EX"),
        ("junk Subject //", 1, "'//' begins as an expression"),
        ("reject Subject /(a/", 1, "a group without its end"),
        (r"reject Subject /\d+/", 1, r"\d, which systems read differently"),
        ('junk Subject *"buy now"*', 1, "'*\"buy now\"*': quotes and slashes stand around whole"),
        ('junk Subject "buy now', 1, "'\"buy now': quotes and slashes stand around whole words"),
        ("reject Subject /x/ Grüße", 1, "reply text is not one line of printable ASCII"),
        ("reject Subject /x/ " + "a" * 600, 1, "reply line is longer than 510 bytes"),
        ('reject Subject /x/ " "', 1, "a reply needs a text behind its code"),
        ("add X-A " + "a" * 998, 1, "a line of the field X-A is longer than smtpd takes"),
        ("add X-A a\0", 1, "the value of the field X-A holds a carriage return or NUL"),
        ('add X-A "a\rb"', 1, "the value of the field X-A holds a carriage return or NUL"),
        ("replace X-* * a\0", 1, "the value of the field X-X holds a carriage return or NUL"),
        (b"junk Subject *caf\xe9*", 1, "bytes that are no UTF-8"),
        (b"add X 1\n# caf\xe9\n", 2, "bytes that are no UTF-8"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}junk Subject x", 1, "is no action: did you mean junk?"),
    ],
)
def test_mistakes(text: str | bytes, line: int, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as raised:
        read(text)
    error = raised.value
    assert (error.line, error.remedy) == (line, "see RULES in filter-headers(8)")
    assert str(error).startswith(f"{error.path}:{line}: ")


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n  # at all\n"])
def test_no_rule(text: str) -> None:
    with pytest.raises(ConfigError, match=r"there is no rule; write one, or no filter-headers$"):
        read(text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        HeaderRules(str(tmp_path / "rules"))
    with pytest.raises(ConfigError, match="a directory, not a regular file"):
        HeaderRules(str(tmp_path))


def test_the_last_line_needs_no_end() -> None:
    assert [rule.line for rule in read("add X 1\n\nprivacy").rules] == [1, 3]
