"""Words of a directive, one after the other."""

from opensmtpd_cli.smtpdconf.directives import Other, Place
from unit.support.smtpd_conf import inline, named, words


def test_words_are_taken_one_after_the_other() -> None:
    found = words("listen on lo port 25 filter { a, b } auth <t>")
    assert found.keyword() == "listen"
    assert not found.follows("port")
    assert found.follows("on")
    assert found.word() == "lo"
    assert found.taken("filter", "port") == "port"
    assert found.number() == "25"
    assert found.ahead() == ("filter", "{", "a", ",", "b", "}", "auth", "<", "t", ">")
    assert (found.keyword(), found.names()) == ("filter", ("a", "b"))
    assert (found.keyword(), found.table_or_none()) == ("auth", named("t"))
    assert not found.more()
    assert found.understood


def test_what_may_be_left_out_is_understood() -> None:
    found = words("auth tls")
    assert found.keyword() == "auth"
    assert (found.table_or_none(), found.word_or_none()) == (None, "")
    assert found.understood
    assert found.more()


def test_a_word_that_is_missing_is_not_understood() -> None:
    found = words("tag tls")
    assert (found.keyword(), found.word()) == ("tag", "")
    assert not found.understood
    assert found.follows("tls")


def test_a_table_that_is_missing_is_not_understood() -> None:
    found = words("alias tls")
    assert (found.keyword(), found.table()) == ("alias", None)
    assert not found.understood


def test_braces_that_are_not_understood_are_passed_over_as_a_whole() -> None:
    found = words("{ a { b }\n c } tls")
    assert found.keyword() == ""
    assert found.follows("tls")
    assert not found.understood


def test_rows_that_smtpd_would_not_take_are_no_table() -> None:
    found = words("{ a, 5 } tls")
    assert found.table() is None
    assert found.follows("tls")
    assert not found.understood


def test_tables_in_braces_and_words() -> None:
    found = words("{ A,\nb } Example.ORG")
    rows = found.table()
    assert rows
    assert [(row.line, row.key) for row in rows.rows or ()] == [(1, "a"), (2, "b")]
    assert found.table() == inline("example.org", line=2)


def test_all_words_of_a_directive() -> None:
    found = words('smtp "a b" {\n c }')
    assert found.whole() == Other(Place("/f", 1), ("smtp", "a b", "{", "c", "}"))
    found.keyword()
    assert found.joined() == "a b{c}"
    assert not found.more()


def test_nothing_is_taken_behind_the_end() -> None:
    found = words("tls")
    found.keyword()
    assert (found.keyword(), found.word(), found.number(), found.names()) == ("", "", "", ())
    assert (found.table(), found.ahead(), found.joined(), found.mark("!")) == (None, (), "", False)
    assert not found.understood
