"""filter-greylist over a session: recipients, transactions, and null senders."""

from pathlib import Path

import pytest

from unit.support.greylisted import HERE, SPF, Greylisted, Visit

NEW = b"451 4.7.1 Greylisted, please try again in 300 seconds"
OK = b"250 2.1.5 Destination address valid: Recipient ok"
DATA_OK = b'354 Enter mail, end with "." on a line by itself'
MAIL = b"MAIL FROM:<bob@remote.example>"
BOUNCE = b"MAIL FROM:<>"
RCPT = b"RCPT TO:<alice@example.com>"
OTHER = b"RCPT TO:<carol@example.com>"
HEADER = b"X-Greylist: delayed 300 seconds by filter-greylist at example.com; "


def fields(visit: Visit) -> list[bytes]:
    """Return the lines of ours in the last message."""
    transaction = visit.client.transactions[-1]
    return [line for line in transaction.lines if line.startswith(b"X-Greylist: ")]


# --- several recipients ---------------------------------------------------------------------------


def test_each_recipient_waits() -> None:
    around = Greylisted()
    visit = Visit(around)
    assert visit.say(MAIL, RCPT) == NEW
    around.wait(100)
    assert visit.say(OTHER) == NEW
    assert visit.say(RCPT) == b"451 4.7.1 Greylisted, please try again in 200 seconds"
    assert around.store.steps()[1:] == [
        f"greylist {HERE} bob@remote.example {name}@example.com"
        for name in ("alice", "carol", "alice")
    ]


def test_the_first_that_passes_takes_the_others_of_the_message_along(logged: list[str]) -> None:
    around = Greylisted()
    assert Visit(around).say(MAIL, RCPT) == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(MAIL, OTHER) == NEW
    assert visit.say(RCPT) == OK
    assert visit.say(OTHER) == OK
    assert visit.say(b"RCPT TO:<dave@example.com>") == OK
    assert [line.split()[1] for line in logged] == [
        *("greylist-defer", "greylist-defer", "greylist-pass")
    ]


def test_where_several_passes_are_needed_each_recipient_waits() -> None:
    around = Greylisted("--auto-white 2")
    assert Visit(around).say(MAIL, RCPT) == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(MAIL, RCPT) == OK
    assert visit.say(OTHER) == NEW


@pytest.mark.parametrize("order", [(RCPT, OTHER), (OTHER, RCPT)])
def test_a_message_says_once_for_how_long_it_waited(order: tuple[bytes, ...]) -> None:
    around = Greylisted("--auto-white 0")
    assert Visit(around).say(MAIL, RCPT) == NEW
    around.wait(50)
    assert Visit(around).say(MAIL, OTHER) == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(MAIL, *order) == OK
    assert visit.say(b"DATA") == DATA_OK
    assert visit.body(b"X-Greylist: mine\n\ntext\n").startswith(b"250 ")
    first, other = fields(visit)
    assert first.startswith(HEADER.replace(b"300", b"350"))
    assert other == b"X-Greylist: mine"


# --- several transactions -------------------------------------------------------------------------


def test_two_messages_in_a_session() -> None:
    around = Greylisted()
    assert Visit(around).say(MAIL, RCPT) == NEW
    around.wait(300)
    visit = Visit(around)
    for lines in (1, 0):
        assert visit.say(MAIL, RCPT) == OK
        assert visit.say(b"DATA") == DATA_OK
        visit.body()
        assert len(fields(visit)) == lines


def test_a_message_that_is_given_up() -> None:
    """Its pass counts, and the next one has not waited."""
    around = Greylisted("--auto-white 0")
    assert Visit(around).say(MAIL, RCPT) == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(MAIL, RCPT) == OK
    assert visit.say(b"RSET", MAIL, RCPT) == OK
    assert visit.say(b"DATA") == DATA_OK
    visit.body()
    assert fields(visit) == []
    assert visit.say(MAIL, OTHER) == NEW


def test_each_transaction_has_its_own_sender() -> None:
    around = Greylisted("", SPF)
    visit = Visit(around)
    for sender, key in (
        (b"bob@remote.example", "spf:remote.example bob@remote.example"),
        (b"carol@nospf.example", f"{HERE} carol@nospf.example"),
        (b"erin@remote.example", "spf:remote.example erin@remote.example"),
    ):
        assert visit.say(b"MAIL FROM:<%s>" % sender, RCPT) == NEW
        assert around.store.steps()[-1] == f"greylist {key} alice@example.com"
        visit.say(b"RSET")


def test_who_becomes_white_with_one_message_is_asked_about_for_the_next() -> None:
    around = Greylisted("", SPF)
    assert Visit(around).say(MAIL, RCPT) == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(MAIL, RCPT) == OK
    assert visit.say(b"RSET", b"MAIL FROM:<carol@nospf.example>", RCPT) == NEW


def test_who_logs_in_later() -> None:
    around = Greylisted()
    visit = Visit(around)
    assert visit.say(MAIL, RCPT) == NEW
    visit.say(b"RSET", b"STARTTLS", b"EHLO client.example")
    visit.client.auth()
    visit.settle()
    assert visit.say(MAIL, RCPT) == OK


def test_who_fails_to_log_in_waits() -> None:
    visit = Visit(Greylisted())
    visit.say(b"STARTTLS", b"EHLO client.example")
    visit.client.auth(result="fail")
    visit.settle()
    assert visit.say(MAIL, RCPT) == NEW


# --- null senders ---------------------------------------------------------------------------------


def test_a_null_sender_waits_at_data(logged: list[str]) -> None:
    """Who only asks whether a recipient exists sends no DATA, and is told."""
    around = Greylisted()
    visit = Visit(around)
    assert visit.say(BOUNCE, RCPT) == OK
    assert visit.say(OTHER) == OK
    assert logged == []
    assert around.store.steps() == [f"white {HERE}"]
    assert visit.say(b"DATA") == NEW
    about = f"greylist-defer client={HERE} wait=300 address=192.0.2.5"
    assert logged == [
        f"{visit.client.id.decode()} {about} mailfrom={no} rcpt={name}@example.com"
        for name in ("alice", "carol")
        for no in ('""',)
    ]


def test_a_null_sender_passes_with_all_its_recipients() -> None:
    around = Greylisted()
    assert Visit(around).say(BOUNCE, RCPT, OTHER, b"DATA") == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(BOUNCE, RCPT, OTHER, b"DATA") == DATA_OK
    visit.body()
    [field] = fields(visit)
    assert field.startswith(HEADER)
    assert Visit(around).say(MAIL, RCPT) == OK


def test_where_one_recipient_of_a_null_sender_is_new_all_wait() -> None:
    """The network is white by the one who passed: it passes at the next attempt."""
    around = Greylisted()
    assert Visit(around).say(BOUNCE, RCPT, b"DATA") == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(BOUNCE, OTHER, RCPT, b"DATA") == NEW
    assert visit.say(b"DATA") == DATA_OK


def test_the_longest_wait_is_not_told_of_others_that_pass() -> None:
    around = Greylisted("--auto-white 0")
    assert Visit(around).say(BOUNCE, RCPT, b"DATA") == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(BOUNCE, RCPT, OTHER, b"DATA") == NEW
    around.wait(300)
    assert visit.say(b"DATA") == DATA_OK


def test_a_null_sender_is_known_by_its_helo() -> None:
    around = Greylisted("", {"client.example": "v=spf1 ip4:192.0.2.0/24 -all"})
    assert Visit(around).say(BOUNCE, RCPT, b"DATA") == NEW
    assert around.store.steps() == [
        *(f"white {HERE}", "white spf:client.example"),
        "greylist spf:client.example  alice@example.com",
    ]


def test_where_the_state_is_away_a_null_sender_passes() -> None:
    around = Greylisted()
    around.store.goes_after(1)
    assert Visit(around).say(BOUNCE, RCPT, b"DATA") == DATA_OK


@pytest.mark.parametrize("sender", [BOUNCE, MAIL])
def test_recipients_who_are_spared(tmp_path: Path, sender: bytes) -> None:
    (tmp_path / "list").write_text("alice@example.com\n")
    around = Greylisted(f"--whitelist-recipients {tmp_path / 'list'}")
    visit = Visit(around)
    assert visit.say(sender, RCPT, b"DATA") == DATA_OK
    visit.body()
    assert around.store.steps() == [f"white {HERE}"]


def test_a_sender_amid_a_transaction() -> None:
    """smtpd refuses it, and goes on with the sender that it has."""
    around = Greylisted()
    visit = Visit(around)
    assert visit.say(BOUNCE, RCPT, MAIL).startswith(b"503 5.5.1 ")
    assert visit.say(b"DATA") == NEW
    assert visit.say(b"RSET", MAIL, RCPT, BOUNCE).startswith(b"503 5.5.1 ")
    assert visit.say(OTHER) == NEW
    assert around.store.steps() == [
        f"white {HERE}",
        f"greylist {HERE}  alice@example.com",
        f"white {HERE}",
        f"greylist {HERE} bob@remote.example alice@example.com",
        f"greylist {HERE} bob@remote.example carol@example.com",
    ]


# --- addresses that smtpd does not report ---------------------------------------------------------

LONG = b"b" * 240
"""It makes an address of 255 bytes with what is about it in the tests."""


def test_a_sender_that_smtpd_does_not_report(logged: list[str]) -> None:
    """It is too long for a report; its clients would never wait."""
    around = Greylisted("", SPF)
    sender = b"MAIL FROM:<%s@remote.example>" % LONG
    visit = Visit(around)
    assert visit.say(sender, RCPT) == NEW
    assert visit.say(OTHER) == NEW
    assert around.store.steps() == [
        f"white {HERE}",
        *(f"greylist {HERE} (too long) {name}@example.com" for name in ("alice", "carol")),
    ]
    assert around.dns.asked == []
    about = f"greylist-defer client={HERE} wait=300 address=192.0.2.5"
    assert logged[0].endswith(f' {about} mailfrom="(too long)" rcpt=alice@example.com')
    around.wait(300)
    visit = Visit(around)
    assert visit.say(sender, RCPT, b"DATA") == DATA_OK
    visit.body()
    assert len(fields(visit)) == 1
    assert visit.say(MAIL, RCPT) == OK


def test_a_sender_that_is_just_reported() -> None:
    around = Greylisted()
    assert Visit(around).say(b"MAIL FROM:<%s@remote.example>" % LONG[1:], RCPT) == NEW
    assert around.store.steps() == [f"white {HERE}", "greylist (hashed)"]


def test_a_sender_that_is_not_reported_after_one_that_was() -> None:
    around = Greylisted()
    visit = Visit(around)
    assert visit.say(MAIL, RCPT, b"RSET", b"MAIL FROM:<%s@remote.example>" % LONG, RCPT) == NEW
    assert around.store.steps()[-1] == f"greylist {HERE} (too long) alice@example.com"


def test_who_is_spared_may_send_with_any_sender() -> None:
    visit = Visit(Greylisted(), source=b"127.0.0.1:1")
    assert visit.say(b"MAIL FROM:<%s@remote.example>" % LONG, RCPT) == OK


def test_recipients_of_a_null_sender_that_smtpd_does_not_report() -> None:
    around = Greylisted()
    recipient = b"RCPT TO:<alice+%s@example.com>" % LONG
    assert Visit(around).say(BOUNCE, recipient, b"DATA") == NEW
    assert around.store.steps()[1:] == ["greylist (hashed)"]
    around.wait(300)
    assert Visit(around).say(BOUNCE, b"RCPT TO:<carol+%s@example.com>" % LONG, b"DATA") == NEW
    assert Visit(around).say(BOUNCE, recipient, b"DATA") == DATA_OK


def sparing_the_postmaster(folder: Path) -> Greylisted:
    spared = folder / "recipients"
    spared.write_text("postmaster@\n")
    return Greylisted(f"--whitelist-recipients {spared}")


@pytest.mark.parametrize("route", [b"", b"x:"])
def test_such_a_recipient_beside_one_who_is_spared(tmp_path: Path, route: bytes) -> None:
    """A stranger would reach everybody by the address of the postmaster."""
    around = sparing_the_postmaster(tmp_path)
    long = b"RCPT TO:<%salice+%s@example.com>" % (route, LONG)
    recipients = long, b"RCPT TO:<postmaster@example.com>"
    assert Visit(around).say(BOUNCE, *recipients, b"DATA") == NEW
    visit = Visit(around)
    assert visit.say(BOUNCE, *recipients, b"RSET", BOUNCE, recipients[1], b"DATA") == DATA_OK


@pytest.mark.parametrize(
    "route", [b"postmaster@x:", b"postmaster+x:", b"@postmaster@example.com:", b"postmaster@x,y:"]
)
def test_a_source_route_spares_nobody(tmp_path: Path, route: bytes) -> None:
    """smtpd leaves it out, and the filter is given it."""
    around = sparing_the_postmaster(tmp_path)
    assert Visit(around).say(MAIL, b"RCPT TO:<%salice@example.com>" % route) == NEW
    around.wait(300)
    visit = Visit(around)
    assert visit.say(MAIL, RCPT) == OK  # it is the same recipient
    assert visit.say(b"RSET", MAIL, b"RCPT TO:<%spostmaster@example.com>" % route) == OK


@pytest.mark.parametrize("sender", [b"", b"x:", b"@"])
def test_a_source_route_to_which_a_bounce_goes(tmp_path: Path, sender: bytes) -> None:
    around = sparing_the_postmaster(tmp_path)
    recipient = b"RCPT TO:<postmaster@x:alice@example.com>"
    assert Visit(around).say(b"MAIL FROM:<%s>" % sender, recipient) == OK
    assert Visit(around).say(b"MAIL FROM:<%s>" % sender, recipient, b"DATA") == NEW
    assert around.store.steps()[-1] == f"greylist {HERE}  alice@example.com"


def test_a_source_route_of_a_sender() -> None:
    around = Greylisted()
    assert Visit(around).say(b"MAIL FROM:<@a.example:bob@remote.example>", RCPT) == NEW
    assert around.store.steps()[-1] == f"greylist {HERE} bob@remote.example alice@example.com"
