"""Filter lines that an operator gives."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('filter x proc-exec "filter-x -a"', ("x", "filter-x -a", "", "", "")),
        ('filter "x y" proc-exec \'filter-x "a b"\'  # why', ("x y", 'filter-x "a b"')),
        ('\tfilter x proc-exec "f" user _u group "g" chroot "/a b"', ("x", "f", "_u", "g", "/a b")),
        ('filter x proc-exec "f" \\\n  group g\n', ("x", "f", "", "g")),
        ('proc x "f -a" user u', ("x", "f -a", "u")),
        ("filter-x -a 'b c'", ("filter-x", "filter-x -a 'b c'")),
        ("/usr/libexec/filter-x $HOME # a", ("filter-x", "/usr/libexec/filter-x $HOME # a")),
        ("filter x proc-exec filter-x", ("x", "filter-x")),
        ('\n filter x proc-exec "f"\n', ("x", "f")),
        ('filter\\\n x proc-exec "f \udcff"', ("x", "f \udcff")),
    ],
)
def test_a_line(text: str, wanted: tuple[str, ...]) -> None:
    assert parse(text) == FilterEntry(*wanted)


REMEDY = 'write it as: filter NAME proc-exec "COMMAND", or give the command alone'
BEHIND = 'behind the command come user "U", group "G" and chroot "D"'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", f"no filter line; {REMEDY}"),
        ("filter x", f"no filter line; {REMEDY}"),
        ("filter x proc-exec", f"no filter line; {REMEDY}"),
        ("filter x proc-exec user", f"no filter line; {REMEDY}"),
        ("filter proc-exec x", f"no filter line; {REMEDY}"),
        ("filter x filter-x", f"no filter line; {REMEDY}"),
        ("proc x", f"no filter line; {REMEDY}"),
        ("a\nb", f"no filter line; {REMEDY}"),
        ('# filter x proc-exec "f"', f"no filter line; {REMEDY}"),
        ("filter x proc", f"no filter line; {REMEDY}"),
        ("filter x proc y user z", f"no filter line; {REMEDY}"),
        ('filter x proc-exec " "', f"no filter line: the command is empty; {REMEDY}"),
        ("proc x ''", f"no filter line: the command is empty; {REMEDY}"),
        (
            "filter x phase connect match !rdns junk",
            "a filter with a phase is a part of smtpd: there is no program to run",
        ),
        (
            "filter x chain { a,\n b }",
            "a chain is filters in a row: there is no program to run; give the line of one",
        ),
        (
            "filter x proc y",
            "the command stands in another line of smtpd.conf; give its line: proc y ...",
        ),
        ('filter x proc-exec "f" user', f"no filter line: not understood: user; {BEHIND}"),
        ('filter x proc-exec "f" nice 5', f"no filter line: not understood: nice; {BEHIND}"),
        ('filter x proc-exec "f" chroot /a', f"no filter line: not understood: chroot; {BEHIND}"),
        ('filter x proc-exec "f" user ""', "no filter line: user is empty: smtpd would not start"),
        ('filter x proc-exec "f" user a user b', "no filter line: user stands there twice"),
        (
            "filter x proc-exec $f",
            "no filter line: macro 'f' is not defined; "
            "write its value there: the rest of smtpd.conf is not read",
        ),
        (
            'filter x proc-exec "f',
            'no filter line: a string that begins with " and does not end',
        ),
        ('filter x proc-exec "f"\nfilter y proc-exec "g"', "more than one line; give one filter"),
    ],
)
def test_no_line(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert str(error.value) == reason
