"""The effects of a command that the filters let through.

Source: ``smtp_proceed_*``, ``smtp_message_begin`` and the IMSG_SMTP_* cases of
``smtp_session_imsg`` in ``smtp_session.c`` of OpenSMTPD 7.6.
"""

from collections.abc import Callable
from typing import TypeAlias

from opensmtpd.testing.model.checks import RECIPIENT_SYNTAX, SENDER_SYNTAX
from opensmtpd.testing.model.dialogue import Dialogue
from opensmtpd.testing.model.parameters import mail_refusal, rcpt_refusal
from opensmtpd.testing.model.syntax import mailaddr, parameters
from opensmtpd.testing.model.transaction import Transaction

Effect: TypeAlias = Callable[[Dialogue, bytes], None]

NAME = b"example.com"
"""The name of the modelled server."""


def banner(session: Dialogue) -> None:
    """Greet the client."""
    session.greeted = True
    session.reply(b"220 %s ESMTP OpenSMTPD" % NAME)
    session.report("link-greeting", NAME)


def help_text(session: Dialogue) -> None:
    """Answer HELP."""
    session.reply(b"214-2.0.0 This is OpenSMTPD")
    session.reply(b"214 2.0.0 End of HELP info")


def _helo(session: Dialogue, argument: bytes) -> None:
    session.identity, session.extended = argument, False
    session.report("link-identify", "HELO", argument)
    session.reply(b"250 " + _hello(session))


def _ehlo(session: Dialogue, argument: bytes) -> None:
    session.roll_back()  # 7.9, the only one that lets a second EHLO come so far
    session.identity, session.extended = argument, True
    session.report("link-identify", "EHLO", argument)
    extensions = [b"8BITMIME", b"ENHANCEDSTATUSCODES", b"SIZE 36700160", b"DSN"]
    extensions.append(b"AUTH PLAIN LOGIN" if session.tls else b"STARTTLS")
    for text in [_hello(session), *extensions]:
        session.reply(b"250-" + text)
    session.reply(b"250 HELP")


def _hello(session: Dialogue) -> bytes:
    return b"%s Hello %s [%s], pleased to meet you" % (NAME, session.identity, session.address)


def _starttls(session: Dialogue, argument: bytes) -> None:
    session.reply(b"220 2.0.0 Ready to start TLS")
    session.report("link-tls", "TLSv1.3:TLS_AES_256_GCM_SHA384:256")
    session.tls, session.identity = True, b""


def _auth(session: Dialogue, argument: bytes) -> None:
    username, result = session.credentials
    new_order = session.server.release.protocol == "0.7"
    session.report("link-auth", *((result, username) if new_order else (username, result)))
    if result == "pass":
        session.username = username
    replies = {
        "pass": b"235 2.0.0 Authentication succeeded",
        "fail": b"535 Authentication failed",
        "error": b"421 4.3.0 Temporary failure",
    }
    session.reply(replies[result])


def _mail_from(session: Dialogue, argument: bytes) -> None:
    sender = mailaddr(argument, session.server.release, sender=True)
    # The argument may be one that a filter put there.
    refusal = SENDER_SYNTAX if sender is None else mail_refusal(parameters(argument))
    if sender is None or refusal is not None:
        # smtpd reports it as part of a transaction without a number, which ends with the reply.
        session.transaction = Transaction("00000000", b"")
        session.reply(refusal or SENDER_SYNTAX)
        session.transaction = None
        return
    session.transaction = Transaction(session.server.number(8), sender.text)
    session.transactions.append(session.transaction)
    session.reply(b"250 2.0.0 Ok")


def _rcpt_to(session: Dialogue, argument: bytes) -> None:
    transaction = session.open_transaction()
    release = session.server.release
    recipient = mailaddr(argument, release, sender=False)
    if recipient is None:
        session.reply(RECIPIENT_SYNTAX)
        return
    refusal = rcpt_refusal(parameters(argument), transaction.notify, release)
    if refusal is not None:
        session.reply(refusal)
        return
    transaction.recipients.append(recipient.text)
    envelope = transaction.msgid + session.server.number(8)
    session.report("tx-envelope", transaction.msgid, envelope)
    session.reply(b"250 2.1.5 Destination address valid: Recipient ok")


def _data(session: Dialogue, argument: bytes) -> None:
    session.in_data = True
    transaction = session.open_transaction()
    trace = _trace(session, transaction)
    transaction.sent, transaction.trace = list(trace), len(trace)
    # Lines go by the lookup process and reports by another way: the lines are there first.
    for line in trace:
        session.server.ask_line(session, line)
    session.reply(b'354 Enter mail, end with "." on a line by itself')


def _trace(session: Dialogue, transaction: Transaction) -> list[bytes]:
    flags = b"S" if session.tls else b""
    flags += b"A" if session.username is not None else b""
    protocol = (b"ESMTP" if session.extended else b"SMTP") + flags
    by = b"\tby %s (OpenSMTPD) with %s id %s" % (NAME, protocol, transaction.msgid.encode("ascii"))
    lines = [b"X-Spam: Yes"] if session.junk or transaction.junk else []
    lines.append(b"Received: from %s (%s [%s])" % (session.identity, session.rdns, session.address))
    if len(transaction.recipients) == 1:
        user, _, domain = transaction.recipients[0].partition(b"@")
        lines += [by, b"\tfor <%s@%s>;" % (user, domain or NAME)]
    else:
        lines.append(by + b";")
    return [*lines, b"\tSun, 22 Nov 2026 08:21:45 +0000 (UTC)"]


def _commit(session: Dialogue, argument: bytes) -> None:
    transaction = session.open_transaction()
    msgid = transaction.msgid
    transaction.fate = "accepted"
    transaction.reply = b"250 2.0.0 %s Message accepted for delivery" % msgid.encode("ascii")
    session.reply(transaction.reply)
    session.report("tx-commit", msgid, str(len(transaction.content)))
    session.report("tx-reset", msgid)
    session.transaction = None


def _rset(session: Dialogue, argument: bytes) -> None:
    session.reply(b"250 2.0.0 Reset state")
    session.roll_back()


def _quit(session: Dialogue, argument: bytes) -> None:
    session.reply(b"221 2.0.0 Bye")
    session.hang_up()


def _noop(session: Dialogue, argument: bytes) -> None:
    session.reply(b"250 2.0.0 Ok")


EFFECTS: dict[str, Effect] = {
    "helo": _helo,
    "ehlo": _ehlo,
    "starttls": _starttls,
    "auth": _auth,
    "mail-from": _mail_from,
    "rcpt-to": _rcpt_to,
    "data": _data,
    "commit": _commit,
    "rset": _rset,
    "quit": _quit,
    "noop": _noop,
}
