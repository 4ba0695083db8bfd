"""The commands of queries, as the server itself describes them.

Source: https://valkey.io/commands/command-info/
"""

from opensmtpd.backends.redis.query import Query
from opensmtpd.backends.redis.resp import RespReply


def misuse(query: Query, reply: RespReply) -> str | None:
    """Return words for a command that is unknown, waits, or takes another number of words.

    ``reply`` is that to COMMAND INFO. A server that does not tell finds nothing wrong.
    """
    info = _first(reply)
    if info is None:
        return f"the server has no command {query.name}" if isinstance(reply, list) else None
    if "blocking" in _flags(info):
        return f"{query.name} waits for others"
    arity = info[1] if len(info) > 1 else None
    if isinstance(arity, int) and (query.size != arity if arity > 0 else query.size < -arity):
        wanted = f"at least {-arity}" if arity < 0 else str(arity)
        return f"{query.name} and its operands are {query.size} words and should be {wanted}"
    return None


def only_reads(reply: RespReply) -> bool:
    """Return whether a command, by the same reply, changes nothing and waits for nobody."""
    info = _first(reply)
    return info is not None and "readonly" in _flags(info) and "blocking" not in _flags(info)


def _first(reply: RespReply) -> list[RespReply] | None:
    """Return the description of the one command, None where there is none."""
    first = reply[0] if isinstance(reply, list) and reply else None
    return first if isinstance(first, list) else None


def _flags(info: list[RespReply]) -> list[RespReply]:
    flags = info[2] if len(info) > 2 else None
    return flags if isinstance(flags, list) else []
