"""Expressions of postgrey's lists: names that they match here are those that Perl says."""

from random import Random

from lab.root import inside
from lab.support import ALONE, need_stage
from opensmtpd.mail.greylist.perl import extended
from opensmtpd.table.matching.regex import Regexes

pytestmark = ALONE
PERL = r"""
while (<STDIN>) {
    chomp; my ($expression, @names) = split /\t/, $_, -1;
    my $found = eval {
        no warnings; my $made = qr{$expression}i;
        join "", map { /$made/ ? 1 : 0 } @names
    };
    print defined $found ? $found : "error", "\n";
}
"""
"""As ``read_clients_whitelists`` of postgrey makes and matches them."""
PIECES = (
    *("a", "b", "m", "x", "7", "-", "_", "A", "mail", r"\.", r"\-", r"\/", r"\@"),
    *(".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\b", r"\B"),
    *("[ab]", "[^ab]", "[a-m]", "[0-9-]", r"[\d.]", r"[^\w]", r"[\-x]", r"[\]a]", "[]a]", "[^]a]",
      r"[a\^]", r"[\w.-]", "[A-F]", r"[.*+?(){}|^$]", "[[:digit:]]", r"[\\]"),
    *("*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{1,}", "{2}?", "{,2}", "{", "}"),
    *("(", "(?:", ")", ")", "|", "^", "$", r"\A", r"\z", r"\Z", "^", "$"),
    *("(?=", "(?i)", r"\1", r"\h", r"\x41", "++", "(*F)", r"\<", r"\`", r"\'", r"\>"),
)  # fmt: skip
NAMES = ("", "a", "mail.example", "mail7.x-b.example", "m_a-x", "7", "aab77", "ab.ab", "xa]^\\-b",
         "m{2}", "b{,2}", "a<b>'`")  # fmt: skip
LONGEST = 7


def generated(dice: Random, count: int) -> set[str]:
    """Return expressions; some are none, or have no meaning."""
    made: set[str] = set()
    while len(made) < count:
        made.add("".join(dice.choices(PIECES, k=1 + dice.randrange(LONGEST))))
    return made


def ours(expression: str) -> str | None:
    """Return which of the names match; None for an expression that is refused."""
    regexes = Regexes()
    try:
        regexes.add(f"(?i){extended(expression)}")
    except ValueError:
        return None
    return "".join("0" if regexes.find(name) is None else "1" for name in NAMES)


def test_names_that_match() -> None:
    expressions = sorted(generated(Random(29), 10000))
    mine = {each: found for each in expressions if (found := ours(each)) is not None}
    rows = "".join("\t".join([each, *NAMES]) + "\n" for each in mine)
    said = inside.done(need_stage("7.6").root, "perl", "-e", PERL, given=rows).splitlines()
    # What Perl refuses stands in no list.
    perl = {each: one for each, one in zip(mine, said, strict=True) if one != "error"}
    assert {each: mine[each] for each in perl} == perl
    assert sum(set(found) == {"0", "1"} for found in perl.values()) > 300
