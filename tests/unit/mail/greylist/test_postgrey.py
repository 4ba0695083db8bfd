"""Postgrey's lists: rows of each kind, as they stand in its own files."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client
from opensmtpd.mail.greylist.postgrey import ListedClients, ListedRecipients
from unit.support.mail_client import HERE, client

CLIENTS = r"""# postgrey whitelist for mail client hostnames
# --------------------------------------------

# 2004-06-29: rr.com (no retry, reported by Duncan Hill)
/^ms-smtp.*\.rr\.com$/
/^(?:smtp\w*|postfix)[0-9]+-g[0-9]+\.free\.fr$/
/^.*?.server.arvato-systems.de$/
/\.Capital\.example$/
/\D-only\.example$/
/^[[:upper:]]{3}\.upper\.example$/
/^Bücher\d\.example$/
# papersinvited.com (no retry)
66.216.126.174
  192.168.1	# its network
172.16
51.4.80.0/27
10.0.0.0/8
2a01:4180:4051:0800::/64
2001:db8:5::7
debian.org
Amazon.COM  # (unique sender with letters)
.dotted.example.
dgfip.finances.gouv.fr
xn--bcher-kva.example
_odd_.example
"""
RECIPIENTS = r"""# postgrey whitelist for mail recipients
postmaster@
abuse@
User@Example.org
plus+one@example.org
lists.example.net
/^No-?Reply@/
/@[^@]*\.test$/
"""


def listed(tmp_path: Path, text: str | bytes = CLIENTS) -> ListedClients:
    return ListedClients([written(tmp_path, text)])


def written(tmp_path: Path, text: str | bytes) -> str:
    file = tmp_path / "list"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(file)


@pytest.mark.parametrize(
    ("address", "spared"),
    [
        ("66.216.126.174", True),
        ("66.216.126.175", False),
        ("192.168.1.0", True),
        ("192.168.1.255", True),
        ("192.168.2.1", False),
        ("172.16.0.1", True),
        ("172.16.255.1", True),
        ("172.17.0.1", False),
        ("51.4.80.31", True),
        ("51.4.80.32", False),
        ("10.200.3.4", True),
        ("11.0.0.1", False),
        ("2a01:4180:4051:800::1", True),
        ("2a01:4180:4051:801::1", False),
        ("2001:db8:5::7", True),
        ("2001:db8:5::8", False),
    ],
)
def test_clients_by_their_address(tmp_path: Path, address: str, spared: bool) -> None:
    """It needs no name."""
    for verdict in ("pass", "fail", "error", "mapped"):
        assert (client(address, None, verdict) in listed(tmp_path)) is spared


@pytest.mark.parametrize(
    ("name", "spared"),
    [
        ("ms-smtp-01.texas.rr.com", True),
        ("ms-smtp-01.texas.rr.com.example", False),
        ("smtp5-g21.free.fr", True),
        ("smtp5-g21-free.fr", False),
        ("mail.server.arvato-systems.de", True),
        ("x.capital.example", True),
        ("capital.example", False),
        ("a-only.example", True),
        ("1-only.example", False),
        ("abc.upper.example", True),
        ("ab1.upper.example", False),
        ("b\u00fccher1.example", True),
        ("bucher1.example", False),
        ("debian.org", True),
        ("mx.debian.org", True),
        ("a.b.debian.org", True),
        ("xdebian.org", False),
        ("debian.org.example", False),
        ("org", False),
        ("mail.amazon.com", True),
        ("dotted.example", True),
        ("mx.dotted.example", True),
        ("dgfip.finances.gouv.fr", True),
        ("finances.gouv.fr", False),
        ("mx.xn--bcher-kva.example", True),
        ("_odd_.example", True),
        ("mx.b\u00fccher.example", False),
        ("\u0130x\\xff|..\r", False),
        ("", False),
    ],
)
def test_clients_by_a_name_that_leads_back_to_them(tmp_path: Path, name: str, spared: bool) -> None:
    clients = listed(tmp_path)
    assert (client("192.0.2.5", name) in clients) is spared
    assert client("192.0.2.5", name, "fail") not in clients
    assert client("192.0.2.5", name, "error") not in clients


def test_a_client_without_an_address_or_a_name(tmp_path: Path) -> None:
    clients = listed(tmp_path)
    assert client("192.0.2.5") not in clients
    assert Client(None, HERE, None, "pass") not in clients


def test_an_ipv4_client_by_ipv6(tmp_path: Path) -> None:
    """Its address is IPv4 in a client."""
    clients = listed(tmp_path, "192.0.2\n")
    assert Client(ip_address("192.0.2.5"), HERE, None, "mapped") in clients


def test_blanks_and_comments(tmp_path: Path) -> None:
    """What is no UTF-8 may stand in comments, as in postgrey's own file."""
    clients = listed(tmp_path, b"# Lo\xefc\n\r\nexample.org # \xff\r\n\t example.net \n#")
    for name in ("mx.example.org", "mx.example.net"):
        assert client("192.0.2.5", name) in clients


def test_a_name_that_would_take_too_long_matches_nothing(tmp_path: Path) -> None:
    clients = listed(tmp_path, "/(a|b|.){99}(.|..){9}x$/\n" * 60 + "/^x/\n")
    assert client("192.0.2.5", "x.example.org") in clients
    assert client("192.0.2.5", "x" + ("ab" * 20 + "b") * 50) not in clients


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("two words", "'two words' is no client"),
        ("*.example.org", "'*.example.org' is no client"),
        ("user@example.org", "'user@example.org' is no client"),
        ("/unclosed", "'/unclosed' is no client"),
        ("//", "'//' is no client"),
        ("/a#b/", "'/a' is no client"),
        ("b\u00fccher.example", "'b\u00fccher.example' is no client"),
        ("192.168.1.256", "'192.168.1.256' is no network"),
        ("192.168.1.0/33", "'192.168.1.0/33' is no network"),
        ("300.1", "'300.1' is no network"),
        ("1.2.3.4.5", "'1.2.3.4.5' is no network"),
        ("192.", "'192.' is no network"),
        ("192", "'192' is no network"),
        (".", "'.' is no network"),
        ("a:b:c", "'a:b:c' is no network"),
        ("2001:db8::/129", "'2001:db8::/129' is no network"),
    ],
)
def test_a_row_that_is_no_client(tmp_path: Path, row: str, fault: str) -> None:
    path = written(tmp_path, f"# clients\n{row}\n")
    with pytest.raises(ConfigError) as caught:
        ListedClients([path])
    remedy = "write an address, a network (192.0.2.0/24), a domain, or /expression/"
    assert str(caught.value) == f"{path}:2: {fault}; {remedy}"


@pytest.mark.parametrize("read", [ListedClients, ListedRecipients])
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("/(?=a)/", "(? has no meaning here"),
        ("/a++/", "++, a repeat that gives nothing back"),
        ("/(a/", "a group without its end"),
        (f"/{'a' * 520}/", "over 512 bytes"),
    ],
)
def test_an_expression_that_cannot_be_used(
    tmp_path: Path, read: type[ListedClients] | type[ListedRecipients], row: str, reason: str
) -> None:
    path = written(tmp_path, f"\n{row}")
    with pytest.raises(ConfigError) as caught:
        read([path])
    remedy = "write it without that, or the names instead"
    assert str(caught.value) == f"{path}:2: {row!r}: {reason}; {remedy}"


@pytest.mark.parametrize("read", [ListedClients, ListedRecipients])
def test_a_file_that_is_not_there(
    tmp_path: Path, read: type[ListedClients] | type[ListedRecipients]
) -> None:
    """Postgrey would warn, and spare nobody."""
    path = str(tmp_path / "missing")
    with pytest.raises(ConfigError, match=path):
        read([path])


def test_without_files_nobody_is_listed() -> None:
    assert client("192.0.2.5", "mx.example.org") not in ListedClients([])
    assert b"postmaster@example.org" not in ListedRecipients([])


def test_several_files(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "ab"]
    for path, row in zip(paths, ("example.org", "postmaster@"), strict=True):
        path.write_text(row)
    assert client("192.0.2.5", "example.org") in ListedClients(map(str, paths[:1]))
    both = ListedRecipients(map(str, paths))
    assert b"a@example.org" in both
    assert b"postmaster@example.net" in both


@pytest.mark.parametrize(
    ("recipient", "spared"),
    [
        (b"postmaster@example.net", True),
        (b"PostMaster@example.net", True),
        (b"postmaster+x@example.net", True),
        (b"postmaster+@example.net", False),  # no extension, as postgrey reads it
        (b"postmaster", True),
        (b"xpostmaster@example.net", False),
        (b"abuse@example.org", True),
        (b"user@example.org", True),
        (b"USER+Lists@EXAMPLE.ORG", True),
        (b"user@example.net", False),
        (b"user@mx.example.org", False),
        (b"user", False),
        (b"postmaster+x+y@example.net", True),
        (b"plus+one@example.org", True),
        (b"plus+one+more@example.org", True),
        (b"plus@example.org", False),
        (b"plus+two@example.org", False),
        (b"anybody@lists.example.net", True),
        (b"anybody@a.lists.example.net", True),
        (b"anybody@xlists.example.net", False),
        (b"lists.example.net", False),
        (b"noreply@example.com", True),
        (b"NO-REPLY@example.com", True),
        (b"xnoreply@example.com", False),
        (b"a@b.test", True),
        (b"", False),
        (b"@", False),
        (b"@@", False),
        (b"\xff\x00|@\xfe", False),
    ],
)
def test_recipients(tmp_path: Path, recipient: bytes, spared: bool) -> None:
    listed = ListedRecipients([written(tmp_path, RECIPIENTS)])
    assert (recipient in listed) is spared


def test_a_row_that_is_no_recipient(tmp_path: Path) -> None:
    path = written(tmp_path, "postmaster@\nuser @example.org\n")
    with pytest.raises(ConfigError) as caught:
        ListedRecipients([path])
    remedy = "write user@example.org, user@, example.org or /expression/"
    assert str(caught.value) == f"{path}:2: 'user @example.org' is no recipient; {remedy}"
