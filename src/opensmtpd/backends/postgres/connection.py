"""A connection to PostgreSQL: it asks prepared statements, and may only read."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.backends.postgres.conninfo import PostgresPlace, string, targets
from opensmtpd.backends.postgres.learning import PreparedStatement
from opensmtpd.backends.postgres.place import addressed, with_defaults
from opensmtpd.backends.postgres.session import PostgresSession, SentCommand, UnpreparedStatement
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused

SERVER_SECONDS = 5
"""Seconds after which the server ends a statement, for which nobody here waits any more."""
_SETTING = (
    "SELECT set_config('default_transaction_read_only', 'on', false),"
    f" set_config('statement_timeout', '{SERVER_SECONDS}s', false)"
).encode()


class PostgresConnection:
    """A question is ``[key of a statement, key]``, without a key for all rows; a reply is rows."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """``data`` is what ``PostgresBackend.plain`` returns."""
        self._options: dict[str, str] = data["options"]
        self._prepare: bool = data["prepare"]
        self._plain: list[list[Any]] = data["statements"]
        self._session = PostgresSession()
        self._statements: dict[str, PreparedStatement] = {}
        self._fresh = False
        """True until the first question behind ``connect``."""

    def connect(self, until: float) -> None:
        """Log in at the first server that lets us, and have all statements prepared.

        Raises ServerLost, ServerLate.
        """
        try:
            places = targets(with_defaults(self._options))
        except ValueError as error:
            raise ServerLost(f"conninfo: {error}") from None
        _first(places, self._open_target, until)
        if self._prepare:  # else the session may be somebody else's with the next statement
            self._set(until)
        statements = [PreparedStatement(*plain, prepared=self._prepare) for plain in self._plain]
        self._statements = {each.key: each for each in statements}
        self._learn(statements, until)
        self._fresh = True

    def _open_target(self, target: PostgresPlace, until: float) -> None:
        _first(addressed(target, until), self._open_place, until)

    def _open_place(self, place: PostgresPlace, until: float) -> None:
        try:
            self._session.open(string(self._options, place), until)
        except BaseException:
            self._session.close()
            raise

    def _set(self, until: float) -> None:
        group = [lambda conn: conn.send_query_params(_SETTING, [])]
        [[outcome]] = self._session.all([group], until)
        if isinstance(outcome, ServerRefused):
            raise ServerLost(f"it does not promise to write nothing: {outcome}")

    def _learn(self, statements: Sequence[PreparedStatement], until: float) -> None:
        outcomes = self._session.all([each.learning for each in statements], until)
        for statement, outcome in zip(statements, outcomes, strict=True):
            statement.learn(outcome)

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the rows for each question, in one round trip.

        Raises ServerLost, ServerLate, ServerRefused.
        """
        fresh, self._fresh = self._fresh, False
        try:
            return self._replies(questions, until)
        except UnpreparedStatement as error:
            if fresh:  # it was prepared a moment ago
                raise
            raise ServerLost(str(error)) from None

    def _replies(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        steps = [self._step(question, until) for question in questions]
        if len(steps) == 1:
            ask = self._session.rows if len(questions[0]) > 1 else self._session.listed
            return [ask(steps[0], until)]
        replies: list[ServerReply] = []
        (outcomes,) = self._session.all([steps], until)
        for outcome in outcomes:
            if isinstance(outcome, ServerRefused):
                raise outcome
            assert outcome is not None  # behind an error alone
            replies.append(outcome.rows)
        return replies

    def _step(self, question: ServerQuestion, until: float) -> SentCommand:
        statement = self._statements[question[0]]
        if not statement.known:  # what it lacked may be there by now
            self._learn([statement], until)
        if statement.fault is not None:
            raise ServerRefused(statement.fault[0])
        key = question[1] if len(question) > 1 else None
        if key is not None and "\0" in key:  # libpq would ask for the part before it
            raise ServerRefused("a NUL in the key")
        return statement.asking(key)

    def check(self, until: float) -> list[Fault]:
        """Return the faults of the statements: those of the text, and of our rights."""
        self._fresh = False
        statements = list(self._statements.values())
        faults = [each.fault for each in statements if each.fault is not None]
        good = [each for each in statements if each.fault is None]
        outcomes = self._session.all([[each.explaining] for each in good], until)
        for statement, (outcome,) in zip(good, outcomes, strict=True):
            fault = statement.judged_plan(outcome)
            if fault is not None:
                faults.append(fault)
        return sorted(faults, key=lambda fault: int(fault[1]))

    def close(self) -> None:
        """Close the connection: what the server still says is lost."""
        self._session.close()


def _first(
    targets: Sequence[PostgresPlace], attempt: Callable[[PostgresPlace, float], None], until: float
) -> None:
    """Try the targets in turn, until one can be used.

    Each has its share of the time, so that the last one is tried, too. Raises ServerLost, -Late.
    """
    error: ServerLost | ServerLate = ServerLost("it has no address")
    for place, target in enumerate(targets):
        now = monotonic()
        try:
            return attempt(target, now + (until - now) / (len(targets) - place))
        except (ServerLost, ServerLate) as failure:
            error = failure
    raise error
