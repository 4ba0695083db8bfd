"""The order of the steps of a connection to a milter.

It is stricter than libmilter's state table (``next_states`` in ``engine.c``), which lets steps be
left out: here all are passed, and those that the milter does not want are not sent.
"""

from enum import Enum, auto

from opensmtpd.mail.milter.commands import Command


class Phase(Enum):
    """Where a session is: the last command that was passed to it."""

    NEW = auto()
    OFFERED = auto()
    READY = auto()
    """The milter has answered the offer."""
    SESSION = auto()
    """There is a client, and no message."""
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    HEADER = auto()
    EOH = auto()
    BODY = auto()
    EOM = auto()
    OVER = auto()
    """The milter is done with the client."""
    CLOSED = auto()


ORDER = {
    Command.CONNECT: ({Phase.READY}, Phase.SESSION),
    Command.HELO: ({Phase.SESSION}, Phase.SESSION),
    Command.MAIL: ({Phase.SESSION}, Phase.MAIL),
    Command.RCPT: ({Phase.MAIL, Phase.RCPT}, Phase.RCPT),
    Command.DATA: ({Phase.RCPT}, Phase.DATA),
    Command.HEADER: ({Phase.DATA, Phase.HEADER}, Phase.HEADER),
    Command.EOH: ({Phase.DATA, Phase.HEADER}, Phase.EOH),
    Command.BODY: ({Phase.EOH, Phase.BODY}, Phase.BODY),
    Command.EOM: ({Phase.EOH, Phase.BODY}, Phase.EOM),
}
"""The phases in which a command may come, and the one that it leads to."""
CONTENT: frozenset[Phase] = frozenset([Phase.HEADER, Phase.EOH, Phase.BODY, Phase.EOM])
MESSAGE = CONTENT | {Phase.MAIL, Phase.RCPT, Phase.DATA}
OF_SESSION = frozenset([Command.CONNECT, Command.HELO])
"""The commands after which a verdict is one on the session."""
IN_MESSAGE = ORDER.keys() - OF_SESSION - {Command.MAIL}
"""The commands that a milter gets no more when it is done with the message."""
REPEATED = frozenset([Command.HEADER, Command.BODY])
"""The commands that SKIP may end: the documentation names the body, Postfix takes it for all."""
