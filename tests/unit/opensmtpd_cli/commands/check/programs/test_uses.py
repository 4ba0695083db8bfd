"""Filters without mail, and listeners without filters."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs import uses
from opensmtpd_cli.commands.check.server import Checker
from unit.support.checked import found_by
from unit.support.swap import GUIDE

FILTERS = """\
filter "a" proc-exec "filter-a"
filter "b" phase connect match !rdns junk
filter "c" chain { "a", "b" }
"""


def said(checker: Checker, folder: Path, text: str) -> list[tuple[int, str]]:
    found: list[Finding] = found_by(checker, folder, text)
    assert {each.severity for each in found} <= {"warning"}
    return [(each.line, each.fault) for each in found]


def test_a_filter_that_is_used_nowhere(tmp_path: Path) -> None:
    unused = [
        (1, 'filter "a" is used nowhere'),
        (2, 'filter "b" is used nowhere'),
        (3, 'filter "c" is used nowhere'),
    ]
    assert said(uses.unused_filters, tmp_path, FILTERS + "listen on lo0\n") == unused
    one = FILTERS + 'listen on lo0 filter "a"\n'
    assert said(uses.unused_filters, tmp_path, one) == unused[1:]


@pytest.mark.parametrize(
    "use",
    [
        'listen on lo0 filter "c"',
        'listen on lo0 filter { "a", "b", "c" }',
        'action "x" relay filter "c"',
        'listen on socket filter "c"',
    ],
)
def test_filters_that_are_used_by_way_of_a_chain(tmp_path: Path, use: str) -> None:
    assert said(uses.unused_filters, tmp_path, f"{FILTERS}{use}\n") == []


def test_a_program_of_no_filter(tmp_path: Path) -> None:
    text = (
        'proc "p" "filter-p"\nproc "q" "filter-q"\nfilter "x" proc "q"\nlisten on lo0 filter "x"\n'
    )
    found = [(1, 'proc "p" is the program of no filter')]
    assert said(uses.unused_filters, tmp_path, text) == found


@pytest.mark.parametrize(
    ("one", "other", "twins"),
    [
        ("192.0.2.1 port 25 tls pki x", "2001:db8::1 port 25 tls pki x", True),
        ("eth0 inet4 port 25", "eth0 inet6 port 25", True),
        ("eth0 inet4 port 25", "eth1 inet6 port 25", False),
        ("192.0.2.1 port 25 tls pki x auth-optional", "2001:db8::1 tls pki x", True),
        ("192.0.2.1 port 25 auth <u>", "2001:db8::1 auth <v>", True),
        ("192.0.2.1 port 25 tls pki x", "2001:db8::1 port 25", False),
        ("192.0.2.1 port 25", "2001:db8::1 port 26", False),
        ("192.0.2.1 tag a", "2001:db8::1 tag b", False),
        ("192.0.2.1", "10.0.0.1", False),
        ("8.8.8.8", "fd00::1", False),
        ("10.0.0.1", "::1", False),
        ("egress", "lo0", False),
        ("eth0 port 465 smtps pki x auth", "eth0 port 587 tls-require pki x auth", True),
        ("eth0 port 465 smtps pki x auth <u>", "eth0 port 587 tls-require pki x auth <v>", False),
        ("eth0 port 465 smtps pki x auth", "eth1 port 587 tls-require pki x auth", False),
        ("eth0 port 465 smtps pki x auth", "eth0 port 25 tls pki x", False),
        ("eth0 port 465 smtps pki x auth tag a", "eth0 port 587 tls pki x auth tag b", False),
        ("192.0.2.1", "socket", False),
    ],
)
def test_a_listener_beside_its_twin(tmp_path: Path, one: str, other: str, twins: bool) -> None:
    where = other.partition(" ")[0]
    fault = f"listen on {where} has no filter, and its twin in line 4 has"
    text = f'{FILTERS}listen on {one} filter "c"\nlisten on {other}\n'
    assert said(uses.unfiltered_listeners, tmp_path, text) == [(5, fault)] * twins
    text = f"{FILTERS}listen on {one}\nlisten on {other}\n"
    assert said(uses.unfiltered_listeners, tmp_path, text) == []


def test_a_listener_among_others_of_its_family(tmp_path: Path) -> None:
    """Of two networks, one is filtered: the other is meant to be without."""
    end = 'filter "c"\n'
    text = f"{FILTERS}listen on 8.8.8.8 {end}listen on 2600::1 {end}listen on 9.9.9.9\n"
    assert said(uses.unfiltered_listeners, tmp_path, text) == []


def test_words_of_another_smtpd_may_mean_anything(tmp_path: Path) -> None:
    text = f'{FILTERS}listen on 8.8.8.8 filter "c"\nlisten on 2600::1 newly "a"\nnews "b"\n'
    assert said(uses.unfiltered_listeners, tmp_path, text) == []
    text = f'{FILTERS}news "c"\n'
    assert said(uses.unused_filters, tmp_path, text) == []


def test_what_to_write(tmp_path: Path) -> None:
    end = 'filter { "a", "b" }\nlisten on ::1\n'
    found = found_by(uses.unfiltered_listeners, tmp_path, f"{FILTERS}listen on 127.0.0.1 {end}")
    assert [each.remedy for each in found] == ['add filter { "a", "b" }']


USERS = "listen on eth0 port 587 tls-require pki x auth"
RSPAMD = 'filter "r" proc-exec "filter-rspamd"'


@pytest.mark.parametrize(
    ("filter", "bare", "users"),
    [
        (RSPAMD, "listen on eth0 tls pki x", f'{USERS} filter "r"'),
        (RSPAMD, "listen on all port 25 auth-optional", f'{USERS} filter {{ "r" }}'),
        ('filter "r" proc-exec "/opt/filter-auth -n"', "listen on eth0", f'{USERS} filter "r"'),
        ('filter "r" proc-exec "filter-greylist"', "listen on eth0", f'{USERS} filter "r"'),
        ('filter "r" proc-exec "filter-senderscore"', "listen on eth0", f'{USERS} filter "r"'),
        (
            'filter "r" proc-exec "filter-record /c -- filter-rspamd"',
            "listen on eth0",
            f'{USERS} filter "r"',
        ),
    ],
)
def test_a_filter_for_mail_of_others_where_users_log_in_only(
    tmp_path: Path, filter: str, bare: str, users: str
) -> None:
    programs = ("filter-auth", "filter-greylist", "filter-rspamd", "filter-senderscore")
    (program,) = [name for name in programs if name in filter]
    where = bare.split()[2]
    fault = (
        f'filter "r" ({program}) sees mail of users who log in only:'
        f" listen on {where} in line 2 has no filter"
    )
    text = f"{filter}\n{bare}\n{users}\n"
    assert said(uses.judges_of_users_only, tmp_path, text) == [(1, fault)]
    (found,) = found_by(uses.judges_of_users_only, tmp_path, text)
    assert found.remedy == 'add filter "r" there'


@pytest.mark.parametrize(
    "text",
    [
        f'{RSPAMD}\nlisten on eth0 filter "r"\n{USERS}\n',  # as in all the examples
        f'{RSPAMD}\nlisten on eth0 filter "r"\n{USERS} filter "r"\n',
        f'{RSPAMD}\nlisten on eth0\nlisten on eth1 filter "r"\n{USERS} filter "r"\n',
        f'{RSPAMD}\nlisten on lo0\nlisten on socket filter "r"\n{USERS} filter "r"\n',
        f"{RSPAMD}\nlisten on eth0\n{USERS}\n",  # told as unused
        'filter "r" proc-exec "filter-rspamd -settings-id out"\nlisten on eth0\n'
        f'{USERS} filter "r"\n',
        f'filter "r" proc-exec "filter-dkimsign"\nlisten on eth0\n{USERS} filter "r"\n',
        f'filter "r" phase connect match !rdns junk\nlisten on eth0\n{USERS} filter "r"\n',
        f'{RSPAMD}\nfilter "c" chain {{ "r" }}\nlisten on eth1 filter "c"\nlisten on eth0\n'
        f'{USERS} filter "r"\n',
        f'{RSPAMD}\nlisten on eth0 newly "r"\n{USERS} filter "r"\n',
    ],
)
def test_a_filter_for_mail_of_others_that_sees_it_or_is_for_users(
    tmp_path: Path, text: str
) -> None:
    assert said(uses.judges_of_users_only, tmp_path, text) == []


GREYLIST = 'filter "g" proc-exec "filter-greylist{}" user _greylist\n'


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        (GREYLIST.format(""), ['filter "g"']),
        (GREYLIST.format(" -passtime 60 --wl-ip /etc/state"), ['filter "g"']),
        ('proc "p" "/opt/filter-greylist"\nfilter "g" proc "p"\n', ['proc "p"']),
        ('filter "g" proc-exec "filter-record /c -- filter-greylist"\n', ['filter "g"']),
        ('filter "g" proc-exec "filter-limit /etc/mail/limits"\n', ['filter "g"']),
        ('filter "g" proc-exec "filter-limit --state /var/l/s.db /etc/mail/limits"\n', []),
        (GREYLIST.format(" --state /var/g/state.db"), []),
        (GREYLIST.format(" --state=redis://localhost"), []),
        ('filter "g" proc-exec "filter-record /c -- filter-greylist --state /s"\n', []),
        ('filter "g" proc-exec "filter-auth"\n', []),
        ('filter "g" proc-exec ""\n', []),
    ],
)
def test_a_filter_that_forgets(tmp_path: Path, text: str, titles: list[str]) -> None:
    faults = [(1, f"{title} keeps what it knows in memory") for title in titles]
    assert said(uses.forgetful, tmp_path, text) == faults


def test_the_guide_is_good(tmp_path: Path) -> None:
    guide = GUIDE.read_text()
    assert said(uses.forgetful, tmp_path, guide) == []
    assert said(uses.unused_filters, tmp_path, guide) == []
    assert said(uses.unfiltered_listeners, tmp_path, guide) == []
    assert said(uses.judges_of_users_only, tmp_path, guide) == []
