"""What is read of an expression: positions, and which follow which; texts are those of regex.py."""

import pytest

from opensmtpd.table.matching.brackets import ALL, SPACE, WORD, members
from opensmtpd.table.matching.expression import Expression

A, B = members("a"), members("b")


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("", ["end"]),
        ("ab", [A, B, "end"]),
        (".", [ALL, "end"]),
        ("^a$", ["^", A, "$", "end"]),
        ("a|b", [A, B, "end"]),
        ("(a)(b)", [A, B, "end"]),
        ("a{2}b{0}", [A, A, "end"]),
        ("a*", [A, "end"]),
        ("[ab]", [A | B, "end"]),
        (r"\w\W\s\S", [WORD, ALL & ~WORD, SPACE, ALL & ~SPACE, "end"]),
        (r"\b\B\<\>", ["b", "B", "<", ">", "end"]),
        (r"\.\\\-", [members("."), members("\\"), members("-"), "end"]),
        (")", [members(")"), "end"]),
        ("a)", [A, members(")"), "end"]),
        ("}]", [members("}"), members("]"), "end"]),
        ("\xe9", [members("\xe9"), "end"]),
    ],
)
def test_what_positions_take(text: str, takes: list[int | str]) -> None:
    expression = Expression(text)
    assert expression.positions.takes == takes
    assert expression.end == 1 << len(takes) - 1


@pytest.mark.parametrize(
    ("text", "first", "follow"),
    [
        ("", 0b1, [0]),
        ("ab", 0b001, [0b010, 0b100, 0]),
        ("a|b", 0b011, [0b100, 0b100, 0]),
        ("a*b", 0b011, [0b011, 0b100, 0]),
        ("a?", 0b11, [0b10, 0]),
        ("(ab)+", 0b001, [0b010, 0b101, 0]),
        ("(a|b)*", 0b111, [0b111, 0b111, 0]),
        ("(|a)b", 0b011, [0b010, 0b100, 0]),
        ("a{1,2}b", 0b0001, [0b0110, 0b0100, 0b1000, 0]),
        ("()*", 0b1, [0]),
        ("a**", 0b11, [0b11, 0]),
    ],
)
def test_what_follows(text: str, first: int, follow: list[int]) -> None:
    expression = Expression(text)
    assert (expression.first, expression.positions.follow) == (first, follow)


def test_without_regard_to_case() -> None:
    both = members("aA")
    for text in ("a", "A", "[a]", "[A]", "[[=a=]]"):
        assert Expression(text, caseless=True).positions.takes[0] == both
    assert Expression("[^a]", caseless=True).positions.takes[0] == ALL & ~both
    assert Expression("1", caseless=True).positions.takes[0] == members("1")
    assert Expression(".", caseless=True).positions.takes[0] == ALL
    assert Expression(r"\W", caseless=True).positions.takes[0] == ALL & ~WORD
    assert Expression("A").positions.takes[0] == members("A")


def test_the_reason_of_a_refusal() -> None:
    with pytest.raises(ValueError, match=r"^a group without its end$"):
        Expression("(a")
