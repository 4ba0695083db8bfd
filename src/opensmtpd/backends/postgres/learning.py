"""Learn from the server what its statements need and give, and judge them."""

import os
import re

from opensmtpd.backends.network.connection import Fault
from opensmtpd.backends.postgres.libpq import PGconn
from opensmtpd.backends.postgres.session import CommandOutcome, SentCommand
from opensmtpd.errors import ServerRefused

_SYNTAX = "42601"
_WRITES = re.compile(r"\s*(->\s+)?(Insert|Update|Delete|Merge) on ")


class PreparedStatement:
    """A statement of the configuration at one connection."""

    def __init__(
        self, key: str, sql: str, line: int, columns: int, constant: bool, *, prepared: bool
    ) -> None:
        """``columns`` are those that it should give; the server keeps it where it is ``prepared``.

        ``constant`` says that it may have one answer for all keys.
        """
        self.key, self._sql, self._line = key, sql.encode(), line
        self._columns, self._constant = columns, constant
        # Behind a pooler, another session's statement of the same name would answer.
        self._name = f"{key}_{os.urandom(8).hex()}".encode() if prepared else b""
        self._parameters = 0
        self.known = False
        """True when the server has taken it."""
        self.fault: Fault | None = None
        """The reason why it cannot be asked."""

    # --- steps ----------------------------------------------------------------------------------

    @property
    def learning(self) -> list[SentCommand]:
        """Return the steps that prepare and describe it."""
        return [
            lambda conn: conn.send_prepare(self._name, self._sql),
            lambda conn: conn.send_describe_prepared(self._name),
        ]

    def asking(self, key: str | None) -> SentCommand:
        """Return the step that asks for the rows of a key; None for all rows."""
        values = [key.encode("utf-8", "surrogateescape")] if key is not None else []
        values = values[: self._parameters]
        name, sql = self._name, self._sql
        if name:
            return lambda conn: conn.send_query_prepared(name, values)
        return lambda conn: conn.send_query_params(sql, values)

    def explaining(self, conn: PGconn) -> None:
        """Have the server plan it, which needs the rights of asking, but ask nothing."""
        conn.send_query_params(b"EXPLAIN " + self._sql, [None] * self._parameters)

    # --- judgements -----------------------------------------------------------------------------

    def learn(self, outcomes: list[CommandOutcome]) -> None:
        """Take the outcomes of ``learning``."""
        refused = next((each for each in outcomes if isinstance(each, ServerRefused)), None)
        described = outcomes[1]
        if refused is not None or described is None:
            self.fault = self._with(str(refused))
            return
        assert not isinstance(described, ServerRefused)
        self.known, self._parameters = True, described.parameters
        self.fault = self._judged(described.parameters, described.columns)

    def _judged(self, parameters: int, columns: int) -> Fault | None:
        wanted = int(self.key.startswith("query_"))
        if parameters > wanted:
            fault = f"it has {parameters} parameters and should have {wanted}"
            return self._with(fault, "put $1 where the key belongs" if wanted else "")
        if parameters < wanted and not self._constant:
            service = self.key.removeprefix("query_")
            remedy = f"put $1 where the key belongs, or say 'constant_{service} yes'"
            return self._with("it never uses the key, so all keys have one answer", remedy)
        if columns < self._columns:  # more are those of a "SELECT *" that grew
            return self._with(f"it gives {columns} columns and should give {self._columns}")
        return None

    def judged_plan(self, outcome: CommandOutcome) -> Fault | None:
        """Return what the outcome of ``explaining`` says against it."""
        if isinstance(outcome, ServerRefused):
            return None if _SYNTAX in str(outcome) else self._with(str(outcome))  # SHOW has no plan
        if outcome is not None and any(_WRITES.match(row[0] or "") for row in outcome.rows):
            return self._with("it may only SELECT")
        return None

    def _with(self, reason: str, remedy: str = "") -> Fault:
        return [f"{self.key}: {reason}", self._line, remedy]
