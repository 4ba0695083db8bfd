"""The file of rules."""

import itertools
from pathlib import Path

import pytest

from opensmtpd.backends.state.steps import Rate
from opensmtpd.errors import ConfigError
from opensmtpd.mail.limit.rules import Excess, LimitRule, LimitRules, Unit, Whose

REMEDY = "write: WHOSE [NAME] messages|recipients|bytes RATE [burst N] [ACTION]"
DAY = 86400.0


def read(folder: Path, *lines: str | bytes) -> LimitRules:
    path = folder / "limits"
    encoded = [line.encode() if isinstance(line, str) else line for line in lines]
    path.write_bytes(b"\n".join(encoded))
    return LimitRules(str(path))


def fault(folder: Path, *lines: str | bytes) -> str:
    """Return the text of the error, without the path."""
    with pytest.raises(ConfigError) as raised:
        read(folder, *lines)
    error = raised.value
    assert str(error).startswith(str(folder / "limits"))
    assert error.remedy != ""
    return str(error).removeprefix(str(folder / "limits"))


def in_words(rules: list[LimitRule]) -> list[str]:
    return [f"{each.unit} {each.written} {each.excess}" for each in rules]


# --- what a line says -----------------------------------------------------------------------------


def test_the_example_of_the_module(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        "# for whom        of what      how much        what follows",
        "user              messages     200/1h",
        "user              recipients   1000/1d         stop",
        "user news         messages     unlimited",
        "network           messages     60/1m burst 20  reject",
        "recipient-domain  messages     1/1s            pace",
    )
    of = {
        Whose.USER: [
            *[(Unit.MESSAGES, "200/1h", Rate(200, 3600.0, 200), Excess.DEFER)],
            *[(Unit.RECIPIENTS, "1000/1d", Rate(1000, DAY, 1000), Excess.STOP)],
        ],
        Whose.NETWORK: [(Unit.MESSAGES, "60/1m burst 20", Rate(60, 60.0, 20), Excess.REJECT)],
        Whose.RECIPIENT_DOMAIN: [(Unit.MESSAGES, "1/1s", Rate(1, 1.0, 1), Excess.PACE)],
    }
    expected = [
        LimitRule(whose, unit, written, rate, 1, excess, DAY)
        for whose, found in of.items()
        for unit, written, rate, excess in found
    ]
    assert rules.all == expected
    assert rules.find(Whose.USER, Unit.MESSAGES, "bob") == expected[:1]
    assert rules.find(Whose.USER, Unit.MESSAGES, "news") == []
    assert rules.find(Whose.USER, Unit.RECIPIENTS, "news") == expected[1:2]
    assert rules.find(Whose.USER, Unit.BYTES, "bob") == []
    assert rules.find(Whose.SENDER, Unit.MESSAGES, "bob@example.org") == []


WHOSE = ("user", "address", "network", "sender", "sender-domain", "recipient-domain")
UNITS = ("messages", "recipients", "bytes")
ACTIONS = ("", "defer", "reject", "pace", "stop", "stop 1h")


@pytest.mark.parametrize(("whose", "unit", "action"), [*itertools.product(WHOSE, UNITS, ACTIONS)])
def test_all_that_can_be_written(tmp_path: Path, whose: str, unit: str, action: str) -> None:
    line = f"{whose} {unit} 200/1h {action}"
    if action.startswith("stop") and whose != "user":
        assert fault(tmp_path, line) == f":1: stop is for users; {REMEDY}"
        return
    [rule] = read(tmp_path, line).all
    burst = 1 if action == "pace" else 200
    stopped_for = 3600.0 if action == "stop 1h" else DAY
    excess = Excess(action.partition(" ")[0] or "defer")
    rate = Rate(200, 3600.0, burst)
    assert rule == LimitRule(Whose(whose), Unit(unit), "200/1h", rate, 1, excess, stopped_for)


def test_bursts(tmp_path: Path) -> None:
    def rate(line: str) -> Rate:
        return read(tmp_path, line).all[0].rate

    assert rate("user messages 60/1m burst 5") == Rate(60, 60.0, 5)
    assert rate("user messages 60/1m burst 5 pace") == Rate(60, 60.0, 5)
    assert rate("user messages 60/1m burst 500 stop 2d") == Rate(60, 60.0, 500)
    assert rate("user bytes 1K/1h burst 2M") == Rate(1024, 3600.0, 2 << 20)


def test_fast_bytes_are_counted_in_grains(tmp_path: Path) -> None:
    for unit, rate, grain in (
        ("bytes", Rate(10000, 1.0, 10000), 2),
        ("messages", Rate(20000, 1.0, 20000), 1),
        ("recipients", Rate(20000, 1.0, 20000), 1),
    ):
        [rule] = read(tmp_path, f"user {unit} 20000/1s").all
        assert (rule.rate, rule.grain, rule.written) == (rate, grain, "20000/1s")


def test_white_space_and_comments(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        "",
        "   ",
        "#user messages 1/1h",
        "\tuser\t messages   1/1h#every hour\r",
        "user bytes 1K/1h # stop",
        "  # and no more",
    )
    assert in_words(rules.all) == ["messages 1/1h defer", "bytes 1K/1h defer"]


def test_several_rules_of_all(tmp_path: Path) -> None:
    rules = read(
        tmp_path, "user messages 10/1h", "user messages 50/1d reject", "user messages 99/1d stop"
    )
    expected = ["messages 10/1h defer", "messages 50/1d reject", "messages 99/1d stop"]
    assert in_words(rules.find(Whose.USER, Unit.MESSAGES, "bob")) == expected


# --- names ----------------------------------------------------------------------------------------


def test_rules_of_a_name_stand_in_the_place_of_those_of_all(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        "user news messages 1000/1h",
        "user messages 10/1h",
        "user messages 50/1d",
        "user News messages 5000/1d reject",
        "user recipients 7/1h",
    )
    of_all = ["messages 10/1h defer", "messages 50/1d defer"]
    of_news = ["messages 1000/1h defer", "messages 5000/1d reject"]
    assert in_words(rules.find(Whose.USER, Unit.MESSAGES, "bob")) == of_all
    assert in_words(rules.find(Whose.USER, Unit.MESSAGES, "news")) == of_news
    for user in ("bob", "news"):
        found = rules.find(Whose.USER, Unit.RECIPIENTS, user)
        assert in_words(found) == ["recipients 7/1h defer"]


@pytest.mark.parametrize(
    ("whose", "name", "yes", "no"),
    [
        ("user", "news", ["news"], ["new", "newsx", "news+x", "bob", "news@example.org"]),
        ("user", "NEWS", ["news"], ["bob"]),
        ("user", "bob@example.org", ["bob@example.org"], ["bob", "bob@mail.example.org"]),
        ("user", "bob@", ["bob@example.org", "bob@example.com", "bob"], ["bobby@example.org"]),
        ("user", "@example.org", ["bob@example.org"], ["bob", "example.org", "b@x.example.org"]),
        ("user", "@*.example.org", ["b@x.example.org"], ["b@example.org", "b@a.b.example.org"]),
        ("user", "@", ["bob", "bob@example.org"], []),
        ("user", "\u00c4rger", ["arger"], ["aerger"]),  # sought as ``user_name`` has it
        ("user", "\\xff", ["\\xff"], ["x"]),
        ("address", "192.0.2.5", ["192.0.2.5"], ["192.0.2.55", "192.0.2.6", "2001:db8::5"]),
        ("address", "192.0.2.0/28", ["192.0.2.0", "192.0.2.15"], ["192.0.2.16"]),
        ("address", "2001:db8::5", ["2001:db8::5"], ["2001:db8::6", "192.0.2.5"]),
        ("address", "[2001:DB8::5]", ["2001:db8::5"], ["2001:db8::6"]),
        ("address", "2001:db8::/32", ["2001:db8:1::5"], ["2001:db9::5"]),
        ("network", "192.0.2.0/24", ["192.0.2.0", "192.0.2.200"], ["192.0.3.0"]),
        ("network", "192.0.2.16/28", ["192.0.2.17"], ["192.0.2.0", "192.0.2.32"]),
        ("network", "10/8", ["10.1.2.3"], ["11.1.2.3"]),
        ("network", "0.0.0.0/0", ["192.0.2.5"], ["2001:db8::5"]),
        ("network", "2001:db8::/48", ["2001:db8:0:5::1"], ["2001:db8:1::1"]),
        ("network", "::/0", ["2001:db8::1"], ["192.0.2.5"]),
        ("sender", "bounces@example.org", ["bounces@example.org", "bounces+x@example.org"],
         ["bounces@example.com", "xbounces@example.org", "bounces-x@example.org"]),
        ("sender", "Bounces@EXAMPLE.org", ["bounces@example.org"], ["x@example.org"]),
        ("sender", "@example.org", ["bob@example.org"], ["bob@x.example.org", "example.org@x"]),
        ("sender", "bounces@*.example.org", ["bounces@a.example.org"], ["bounces@example.org"]),
        ("sender", "bounces", ["bounces@example.org", "bounces@example.com"], ["bob@bounces"]),
        ("sender-domain", "example.org", ["example.org"], ["x.example.org", "anexample.org"]),
        ("sender-domain", "EXAMPLE.org.", ["example.org"], ["example.com"]),
        ("sender-domain", "*.example.org", ["x.example.org"], ["example.org", "a.b.example.org"]),
        ("sender-domain", "*.*.example.org", ["a.b.example.org"], ["x.example.org"]),
        ("recipient-domain", "*.example.org", ["x.example.org"], ["example.org", "xexample.org"]),
        ("recipient-domain", "*", ["example.org", "org"], []),
        ("recipient-domain", "[192.0.2.1]", ["[192.0.2.1]"], ["192.0.2.1"]),
    ],
)  # fmt: skip
def test_names_match(tmp_path: Path, whose: str, name: str, yes: list[str], no: list[str]) -> None:
    rules = read(tmp_path, f"{whose} messages 1/1h", f"{whose} {name} messages 2/1h")

    def found(sought: str) -> list[str]:
        return [each.written for each in rules.find(Whose(whose), Unit.MESSAGES, sought)]

    assert [(sought, found(sought)) for sought in yes] == [(sought, ["2/1h"]) for sought in yes]
    assert [(sought, found(sought)) for sought in no] == [(sought, ["1/1h"]) for sought in no]


def test_the_most_specific_name_counts(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        "sender @ messages 1/1h",
        "sender @example.org messages 2/1h",
        "sender bob@example.org messages 3/1h",
        "network 192.0.2.0/24 messages 4/1h",
        "network 192.0.2.0/28 messages unlimited",
        "network 192.0.0.0/16 messages 5/1h",
    )

    def found(whose: Whose, sought: str) -> list[str]:
        return [each.written for each in rules.find(whose, Unit.MESSAGES, sought)]

    senders = ("x@y", "x@example.org", "bob@example.org", "bob+x@example.org")
    of_senders = [found(Whose.SENDER, each) for each in senders]
    assert of_senders == [["1/1h"], ["2/1h"], ["3/1h"], ["3/1h"]]
    clients = ("192.0.2.1", "192.0.2.16", "192.0.3.1", "192.1.0.0")
    assert [found(Whose.NETWORK, each) for each in clients] == [[], ["4/1h"], ["5/1h"], []]


def test_two_spellings_of_a_network_are_one(tmp_path: Path) -> None:
    rules = read(
        tmp_path, "network 192.0.2.0/24 messages 1/1h", "network 192.0.2.7/24 messages 9/1d"
    )
    found = rules.find(Whose.NETWORK, Unit.MESSAGES, "192.0.2.99")
    assert in_words(found) == ["messages 1/1h defer", "messages 9/1d defer"]


def test_a_name_that_is_too_long_for_a_row(tmp_path: Path) -> None:
    assert fault(tmp_path, f"user {'x' * 1024} messages 1/1h") == (
        f":1: {'x' * 1024!r}: over 1023 bytes; {REMEDY}"
    )
    assert fault(tmp_path, f"sender {'x' * 256}@example.org messages 1/1h") == (
        f":1: {'x' * 256 + '@example.org'!r}: a user or a domain of over 255 bytes; {REMEDY}"
    )
    rules = read(tmp_path, "user @ messages 1/1h", "user messages 2/1h")
    # What is longer than smtpd's keys has no name.
    found = rules.find(Whose.USER, Unit.MESSAGES, "x" * 5000)
    assert in_words(found) == ["messages 2/1h defer"]


# --- stop -----------------------------------------------------------------------------------------


def test_who_may_be_stopped(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        "user messages 1/1h",
        "user recipients 9/1d stop",
        "user news recipients unlimited",
        "user @example.org bytes 1G/1d stop 1h",
    )
    users = ("bob", "news", "bob@example.org", "news@example.org")
    assert [rules.stops(user) for user in users] == [True, False, True, True]
    assert not read(tmp_path, "user messages 1/1h", "sender messages 1/1h reject").stops("bob")


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("users messages 1/1h", "'users' does not say for whom: did you mean user?"),
        ("host messages 1/1h", "'host' does not say for whom: there are user, address, network,"
         " sender, sender-domain, recipient-domain"),
        ("User messages 1/1h", "'User' does not say for whom: did you mean user?"),
        ("user", "nothing says of what"),
        ("user news", "nothing says of what"),
        ("user message 1/1h", "'1/1h' does not say of what: there are messages, recipients, bytes"),
        ("user news message 1/1h", "'message' does not say of what: did you mean messages?"),
        ("user a b messages 1/1h", "'b' does not say of what: there are messages, recipients,"
         " bytes"),
        ("user messages", "there is no rate"),
        ("user messages 1", "'1' is not a rate such as 200/1h"),
        ("user messages reject", "'reject' is not a rate such as 200/1h"),
        ("user messages reject 1/1h", "'1/1h' does not say what follows: there are defer, reject,"
         " pace, stop"),
        ("user messages 1/1h drop", "'drop' does not say what follows: there are defer, reject,"
         " pace, stop"),
        ("user messages 1/1h rejects", "'rejects' does not say what follows: did you mean reject?"),
        ("user messages 1/1h reject burst 5", "'burst' has no meaning there"),
        ("user messages 1/1h reject defer", "'defer' has no meaning there"),
        ("user messages 1/1h defer 1h", "'1h' has no meaning there"),
        ("user messages 1/1h stop 1h 2h", "'2h' has no meaning there"),
        ("user messages 1/1h stop soon", "'soon' is not a time up to 400d, such as 30s, 10m, 1h or"
         " 7d"),
        ("user messages 1/1h stop 401d", "'401d' is not a time up to 400d, such as 30s, 10m, 1h or"
         " 7d"),
        ("user messages 1/1h burst", "'' is not a number above 0, such as 20 or 10M"),
        ("user messages 1/1h burst 0", "'0' is not a number above 0, such as 20 or 10M"),
        ("user messages 1/1h burst many", "'many' is not a number above 0, such as 20 or 10M"),
        ("user messages 1/1d burst 401", "the rate fills up in more than 34560000 seconds"),
        ("user messages unlimited", "unlimited is for one name, and the last word of its line"),
        ("user news messages unlimited reject", "unlimited is for one name, and the last word of"
         " its line"),
        ("user news messages unlimited burst 5", "unlimited is for one name, and the last word of"
         " its line"),
        ("sender messages 1/1h stop", "stop is for users"),
        ("user *@example.org messages 1/1h", "'*@example.org' matches nobody: write @DOMAIN for all"
         " of a domain"),
        ("address mail.example.org messages 1/1h", "'mail.example.org' is no address, and no"
         " network such as 192.0.2.0/24"),
        ("user\0 messages 1/1h", r"'user\x00' does not say for whom: did you mean user?"),
        (b"\xef\xbb\xbfuser messages 1/1h", r"'\ufeffuser' does not say for whom: did you mean"
         " user?"),
        (b"\xff messages 1/1h", r"'\\xff' does not say for whom: there are user, address, network,"
         " sender, sender-domain, recipient-domain"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, line: str | bytes, words: str) -> None:
    assert fault(tmp_path, "# rules", line, "user bytes 1/1h") == f":2: {words}; {REMEDY}"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["user messages 1/1h", "user messages 1/1h reject"],
         "a limit of 1/1h stands there already"),
        (["user messages 1/1h", "user messages 1/1h pace"],
         "a limit of 1/1h stands there already"),
        (["user a messages 1/1h burst 2", "user A messages 1/1h burst 2 stop"],
         "a limit of 1/1h burst 2 stands there already"),
        (["network 192.0.2.0/24 bytes 1/1h", "network 192.0.2.1/24 bytes 1/1h"],
         "a limit of 1/1h stands there already"),
        (["user a messages 1/1h", "user a messages unlimited"],
         "'a' has another line, and is unlimited by one of them"),
        (["user a messages unlimited", "user A messages 1/1h"],
         "'A' has another line, and is unlimited by one of them"),
        (["user a messages unlimited", "user a messages unlimited"],
         "'a' has another line, and is unlimited by one of them"),
    ],
)  # fmt: skip
def test_lines_that_contradict_each_other(tmp_path: Path, lines: list[str], words: str) -> None:
    assert fault(tmp_path, *lines) == f":2: {words}; {REMEDY}"


def test_lines_that_do_not(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        "user messages 1/1h",
        "user a messages 1/1h",
        "user messages 1/1h burst 2",
        "user recipients 1/1h",
        "sender messages 1/1h",
        "user b messages unlimited",
        "user b recipients 9/1h",
    )
    assert len(rules.all) == 6


@pytest.mark.parametrize("lines", [[], ["# nothing"], ["user news messages unlimited"]])
def test_a_file_without_a_limit(tmp_path: Path, lines: list[str]) -> None:
    said = fault(tmp_path, *lines)
    assert said == ": there is no limit; write one, or no filter-limit"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        LimitRules(str(tmp_path / "limits"))


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a directory, not a regular file"):
        LimitRules(str(tmp_path))
