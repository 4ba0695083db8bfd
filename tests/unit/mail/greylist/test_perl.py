"""Expressions of Perl in the syntax of POSIX, and what they match there."""

import pytest

from opensmtpd.mail.greylist.perl import extended
from opensmtpd.table.matching.regex import Regexes


def matched(expression: str, *names: str) -> list[str]:
    """Return the names that an expression matches."""
    regexes = Regexes()
    regexes.add(f"(?i){extended(expression)}")
    return [name for name in names if regexes.find(name) is not None]


@pytest.mark.parametrize(
    ("perl", "posix"),
    [
        (r"^ms-smtp.*\.rr\.com$", r"^ms-smtp.*\.rr\.com$"),
        (r"^s[cv]\d+pub\.verizon\.net$", r"^s[cv][0-9]+pub\.verizon\.net$"),
        (
            r"^(?:smtp\w*|postfix)[0-9]+-g[0-9]+\.free\.fr$",
            r"^(smtp\w*|postfix)[0-9]+-g[0-9]+\.free\.fr$",
        ),
        (r"^.*?.server.arvato-systems.de$", r"^.*.server.arvato-systems.de$"),
        (r"\Amail(out)?\d{2,3}\z", r"^mail(out)?[0-9]{2,3}$"),
        (r"a\Z|\D\W\S\s\b\B", r"a$|[^0-9]\W\S\s\b\B"),
        # Which of several matches is found makes no difference.
        ("a+?b??c{2}?d{1,}?", "a+b?c{2}d{1,}"),
        (r"\+?\*?\??", r"\+?\*?\??"),
        # What is an escape in POSIX alone.
        (r"\<a\>\'\`", "<a>'`"),
        (r"\.\-\_\@\/\\\]\}\{\|\(\)\^\$", r"\.\-\_\@\/\\\]\}\{\|\(\)\^\$"),
    ],
)
def test_what_is_written_otherwise(perl: str, posix: str) -> None:
    assert extended(perl) == posix


@pytest.mark.parametrize(
    ("perl", "posix"),
    [
        ("[12]", "[12]"),
        ("[^12]", "[^12]"),
        ("[a-z0-9]", "[0-9a-z]"),
        (r"[\d.]", "[.0-9]"),
        (r"[\w.-]", "[.0-9A-Z_a-z-]"),
        ("[abd]", "[abd]"),
        ("[]a]", "[]a]"),
        ("[^]a]", "[^]a]"),
        (r"[a\]]", "[]a]"),
        (r"[]\]]", "[]]"),
        ("[a^]", "[a^]"),
        (r"[\^a]", "[a^]"),
        (r"[\^]", r"\^"),
        (r"[^\^]", "[^^]"),
        (r"[\^-]", "[-^]"),
        (r"[\-^]", "[-^]"),
        (r"[\^\-]", "[-^]"),
        (r"[^\^\-]", "[^^-]"),
        ("[-a]", "[a-]"),
        (r"[a\-z]", "[az-]"),
        (r"[-\]]", "[]-]"),
        (r"[\--0]", "[./0-]"),
        (r"[+\-.]", "[+.-]"),
        (r"[\\a]", "[\\a]"),
        ("[[.]", "[.[]"),
        (r"[\[.-.]", "[.[]"),
        ("[a[]", "[a[]"),
        ("[.[^]", "[.[^]"),
        ("[X-b]", r"[]X-Z\_`ab[^]"),
        ("[[:alpha:]]", "[[:alpha:]]"),
        (r"[[:alpha:]\d-]", "[0-9[:alpha:]-]"),
        (r"[^[:space:]\]\[]", "[^][:space:][]"),
        ("[\u00e9x]", "[x\u00e9]"),
    ],
)
def test_a_set_whose_characters_have_other_places(perl: str, posix: str) -> None:
    assert extended(perl) == posix


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("(?i)a", r"^\(\? has no meaning here$"),
        ("a(?=b)", r"^\(\? has no meaning here$"),
        ("(?<!a)b", r"^\(\? has no meaning here$"),
        ("(*FAIL)", r"^\(\* has no meaning here$"),
        (r"(a)\1", r"^\\1 has no meaning here$"),
        (r"\x41", r"^\\x has no meaning here$"),
        (r"\pL", r"^\\p has no meaning here$"),
        (r"\Qa.b\E", r"^\\Q has no meaning here$"),
        (r"\n", r"^\\n has no meaning here$"),
        ("\\\u00e9", "^\\\\\u00e9 has no meaning here$"),
        ("a*+", r"^\*\+, a repeat that gives nothing back$"),
        ("a{2}+b", r"^\{2\}\+, a repeat that gives nothing back$"),
        (r"[\n]", r"^\\n in brackets has no meaning here$"),
        (r"[\D]", r"^\\D in brackets has no meaning here$"),
        (r"[\b]", r"^\\b in brackets has no meaning here$"),
        (r"[\w-z]", r"^\\w-z is no range$"),
        (r"[a-\d]", r"^a-\\d is no range$"),
        ("[[:alpha:]-z]", r"^\[:alpha:\]-z is no range$"),
        ("[z-a]", "^z-a is no range$"),
        ("[a-\u00e9]", "^a-\u00e9 is no range$"),
        (r"[\n-a]", r"^\\n in brackets has no meaning here$"),
        ("[a", "^a bracket without its end$"),
        ("[]", "^a bracket without its end$"),
        ("[^]", "^a bracket without its end$"),
        (r"[a\]", "^a bracket without its end$"),
        ("[[:alpha:]", "^a bracket without its end$"),
    ],
)
def test_what_posix_cannot_say_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        extended(expression)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("a\\", "^a backslash at the end$"),
        ("*a", "^nothing to repeat$"),
        ("(a", "^a group without its end$"),
        ("a{2", "^a { that begins no interval$"),
        ("a{3,1}", "^an interval that is none$"),
        ("[[:word:]]", "^an unknown name between brackets$"),
    ],
)
def test_what_is_left_for_the_matcher_to_refuse(expression: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        matched(expression)


@pytest.mark.parametrize(
    ("expression", "yes", "no"),
    [
        (
            r"^ms-smtp.*\.rr\.com$",
            ["ms-smtp-01.texas.rr.com", "ms-smtp.rr.com"],
            ["xms-smtp.rr.com", "ms-smtp.rr.com.example", "ms-smtp-01-rr-com"],
        ),
        (
            r"^(?:smtp\w*|postfix)[0-9]+-g[0-9]+\.free\.fr$",
            ["smtp5-g21.free.fr", "smtpfb1-g21.free.fr", "postfix3-g20.free.fr"],
            ["smtp-g21.free.fr", "smtp-x5-g21.free.fr", "smtp5-g21.free.fr.example"],
        ),
        (
            r"^.*?.server.arvato-systems.de$",
            ["mail1.server.arvato-systems.de", "-server-arvato-systems-de"],
            ["server.arvato-systems.de", "mail1.server.arvato-systems.dev"],
        ),
        (r"^odk.fdv.uni-lj.si$", ["odk.fdv.uni-lj.si", "odkxfdv-uni-lj0si"], ["odk.fdv.uni-lj.s"]),
        (r"^mta[12].siol.net$", ["mta1.siol.net", "mta2-siol-net"], ["mta3.siol.net"]),
        (r"^p?smtp.*\.wxs\.nl$", ["psmtp1.wxs.nl", "smtp.wxs.nl"], ["ppsmtp.wxs.nl"]),
        ("RR", ["ms-smtp.rr.com"], ["ms-smtp.r.com"]),
    ],
)
def test_expressions_of_postgrey(expression: str, yes: list[str], no: list[str]) -> None:
    assert matched(expression, *yes, *no) == yes
