"""The base class of filters: override what you need, and only that is asked of smtpd."""

from collections.abc import Callable, Collection, Coroutine
from typing import Any

from opensmtpd._methods import check_call, check_plain, check_timers, own_names
from opensmtpd.answer import Answer, Offload
from opensmtpd.errors import LocalError, did_you_mean
from opensmtpd.filter import events
from opensmtpd.filter.decisions import PROCEED, CommitDecision, ParameterDecision, PhaseDecision
from opensmtpd.filter.message import MessageHandler
from opensmtpd.filter.session import Session, SessionAttribute
from opensmtpd.needs import Needs

_NO_EVENT = "smtpd has no such event, so this would never be called"


class Filter:
    """A filter: handlers for requests, for reports, and for messages.

    Any handler but ``on_message`` may be ``async def``; a plain one costs no task. A plain one must
    not block: it has the whole mail server waiting. Handlers not overridden are not registered.

    A class raises LocalError when it is made where a method ``on_…`` belongs to no event, because
    smtpd would never be asked for it; where a method cannot be called, because it takes other
    arguments than here, or any under ``@every``; and where ``on_message`` or ``reload`` is
    ``async def``.
    """

    uses: tuple[SessionAttribute, ...] = ()
    """The attributes of Session that this filter reads, for example ``("rdns", "username")``."""
    needs: Needs | None = None
    """The things that it does after ``start``: all else is taken from it. None: anything."""
    unused: Collection[str] = ()
    """Handlers that this filter's options leave nothing to do: they are not registered."""
    outgoing = False
    """True to hear reports of what smtpd sends, too, in actions with ``relay filter NAME``.

    They come to the same handlers: ``session.outgoing`` tells them apart. Nothing is asked there.
    """
    admd: bytes = b""
    """``admd`` of smtpd.conf, the name of the server by default: there when the first event is.

    It names the administrative domain in Authentication-Results (RFC 8601 section 2.5).
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        for name in own_names(cls, Filter):
            if name.startswith("on_") and not hasattr(Filter, name):
                near = did_you_mean(name, dir(Filter))
                raise LocalError(f"{cls.__name__}.{name}: {_NO_EVENT}{near}")
        check_call(cls, Filter, _METHODS)
        check_plain(cls, "on_message", "reload")
        check_timers(cls, Filter)

    # --- requests: each is answered by its handler's decision ---------------------------------

    def on_connect(self, session: Session, request: events.Connect) -> Answer[PhaseDecision]:
        """A client connected; a refusal is its greeting."""
        return PROCEED

    def on_helo(self, session: Session, request: events.Helo) -> Answer[ParameterDecision]:
        """HELO or EHLO: ``request.verb`` tells which."""
        return PROCEED

    def on_starttls(self, session: Session, request: events.StartTLS) -> Answer[PhaseDecision]:
        """STARTTLS."""
        return PROCEED

    def on_auth(self, session: Session, request: events.Auth) -> Answer[PhaseDecision]:
        """AUTH; the request holds the password."""
        return PROCEED

    def on_mail_from(self, session: Session, request: events.MailFrom) -> Answer[ParameterDecision]:
        """MAIL FROM."""
        return PROCEED

    def on_rcpt_to(self, session: Session, request: events.RcptTo) -> Answer[ParameterDecision]:
        """RCPT TO, before smtpd's own verdict on the recipient.

        smtpd may still refuse an address that a filter lets through: ``on_tx_rcpt`` tells.
        """
        return PROCEED

    def on_data(self, session: Session, request: events.Data) -> Answer[PhaseDecision]:
        """DATA, before the message."""
        return PROCEED

    def on_commit(self, session: Session, request: events.Commit) -> Answer[CommitDecision]:
        """The message is complete. (To junk it now, put ``X-Spam: Yes`` in front of it.)"""
        return PROCEED

    def on_rset(self, session: Session, request: events.Rset) -> Answer[CommitDecision]:
        """RSET."""
        return PROCEED

    def on_quit(self, session: Session, request: events.Quit) -> Answer[CommitDecision]:
        """QUIT."""
        return PROCEED

    def on_noop(self, session: Session, request: events.Noop) -> Answer[CommitDecision]:
        """NOOP."""
        return PROCEED

    def on_help(self, session: Session, request: events.Help) -> Answer[CommitDecision]:
        """HELP."""
        return PROCEED

    # --- messages -----------------------------------------------------------------------------

    def on_message(self, session: Session) -> MessageHandler | None:
        """Return the handler of a message that begins, or None to let it pass untouched.

        It cannot be a coroutine: the message's first lines are already there.
        """
        return None

    # --- reports: nothing is answered ---------------------------------------------------------

    def on_link_connect(self, session: Session, report: events.LinkConnect) -> Answer[None]:
        """A client connected."""

    def on_link_disconnect(self, session: Session, report: events.LinkDisconnect) -> Answer[None]:
        """A client is gone. The session object is forgotten after this."""

    def on_link_greeting(self, session: Session, report: events.LinkGreeting) -> Answer[None]:
        """The banner was sent."""

    def on_link_identify(self, session: Session, report: events.LinkIdentify) -> Answer[None]:
        """HELO or EHLO was accepted."""

    def on_link_tls(self, session: Session, report: events.LinkTLS) -> Answer[None]:
        """TLS was set up."""

    def on_link_auth(self, session: Session, report: events.LinkAuth) -> Answer[None]:
        """AUTH ended."""

    def on_tx_reset(self, session: Session, report: events.TxReset) -> Answer[None]:
        """The transaction's state is gone."""

    def on_tx_begin(self, session: Session, report: events.TxBegin) -> Answer[None]:
        """A transaction began."""

    def on_tx_mail(self, session: Session, report: events.TxMail) -> Answer[None]:
        """MAIL FROM was answered."""

    def on_tx_rcpt(self, session: Session, report: events.TxRcpt) -> Answer[None]:
        """RCPT TO was answered."""

    def on_tx_envelope(self, session: Session, report: events.TxEnvelope) -> Answer[None]:
        """An envelope was made."""

    def on_tx_data(self, session: Session, report: events.TxData) -> Answer[None]:
        """DATA was answered."""

    def on_tx_commit(self, session: Session, report: events.TxCommit) -> Answer[None]:
        """The message is in the queue."""

    def on_tx_rollback(self, session: Session, report: events.TxRollback) -> Answer[None]:
        """The message was given up."""

    def on_protocol_client(self, session: Session, report: events.ProtocolClient) -> Answer[None]:
        """A command as the client typed it, passwords included."""

    def on_protocol_server(self, session: Session, report: events.ProtocolServer) -> Answer[None]:
        """A reply as smtpd sent it."""

    def on_filter_report(self, session: Session, report: events.FilterReport) -> Answer[None]:
        """A filter reported something."""

    def on_filter_response(self, session: Session, report: events.FilterResponse) -> Answer[None]:
        """The filters of a phase came to a decision."""

    def on_timeout(self, session: Session, report: events.Timeout) -> Answer[None]:
        """The client was silent for too long."""

    # --- the process --------------------------------------------------------------------------

    def reload(self) -> Offload[Callable[[], object]] | None:
        """Build the new state from the same configuration, then swap it in: called on SIGHUP.

        Raise ConfigError to keep the old state; its text goes to the log. Of any exception but a
        LocalError, only the type does.

        smtpd waits while files are read, and that may be for ever on a network file system. So it
        may return an Offload: its function builds the new state, and returns a function that swaps
        it in, which is called when no handler runs. Both have the time of ``deadline``; what comes
        later is dropped, and the old state stays.
        """
        return None

    def start(self) -> Coroutine[Any, Any, None] | None:
        """Open all that requests need: called once, before smtpd hears that the filter is ready.

        It may be ``async def``, and has 60 seconds then, a plain one 30: smtpd waits for it. Raise
        ConfigError to end the program with its text and status 1, and smtpd with it; any
        LocalError but Unavailable does the same. Any other failure is logged, and the program goes
        on: a server that is down must not keep the mail server down. ``-n`` does not call it.
        """
        return None

    def stop(self) -> Coroutine[Any, Any, None] | None:
        """Save state that is to last, and close: smtpd is gone, and the process ends next.

        It may be ``async def``, and is waited for for 5 seconds. A failure is logged.
        """
        return None


_METHODS = {name for name in vars(Filter) if name.startswith("on_")} | {"reload", "start", "stop"}
