"""The servers with many users, and for each a configuration that ours and the program in C take.

The configurations are for a view of a root that shares the servers' sockets (``share``).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lab.peers.databases.mariadb import MariadbServer
from lab.peers.databases.postgres import PostgresServer
from lab.peers.databases.server import DatabaseServer
from lab.peers.databases.slapd import ADMIN, PASSWORD, SUFFIX, SlapdServer
from lab.peers.databases.socketmap import SocketmapServer
from lab.peers.databases.valkey import ValkeyServer
from lab.root import inside

DATABASE, ACCOUNT, SECRET = "filled", "mail", "s3cret"
HASH = "$6$lKDZ0pwdUkPpRRHS$" + "x" * 86
"""As long as one of crypt(3)."""


class User(NamedTuple):
    """A row; ``name`` is the key of all services."""

    name: str
    alias: str
    password: str
    uid: int
    home: str


def user(number: int) -> User:
    """Return the user of that number."""
    name = f"user{number}"
    return User(name, f"{name}@host{number % 9}.example.com", HASH, 1000 + number, f"/home/{name}")


def users(count: int) -> Iterator[User]:
    """Yield so many users."""
    return map(user, range(count))


@dataclass(frozen=True)
class Backend:
    """One kind of server."""

    program: str
    """``table-postgres``, which is the name of ours and of the one in C."""
    server: type[DatabaseServer]
    fill: Callable[[Any, int], None]
    """Has the server hold so many users. It runs then."""
    conf: str
    """The configuration; for socketmap the path of the socket, which is the argument itself."""
    services: tuple[str, ...] = ("alias", "credentials", "userinfo")
    """Of which each user has a row."""
    absent: bytes = b"not-found"
    """The answer of the program in C for a key without a row."""

    @property
    def argument(self) -> str:
        """The argument of the program, a path in the view."""
        return self.conf if self.conf.startswith("/") else f"/etc/mail/{self.program}.conf"

    def lay_out(self, view: Path) -> None:
        """Write the configuration into a view, for its user alone."""
        if not self.conf.startswith("/"):
            path = view / self.argument[1:]
            path.parent.mkdir(exist_ok=True)
            path.write_text(self.conf)
            inside.done(view, "chown", "opensmtpd:", self.argument)
            path.chmod(0o600)


QUERIES = """\
query_alias SELECT alias FROM users WHERE name = {0}
query_credentials SELECT name, password FROM users WHERE name = {0}
query_userinfo SELECT uid, uid, home FROM users WHERE name = {0}
"""
SCHEMA = (
    "CREATE TABLE users (name VARCHAR(100) PRIMARY KEY, alias VARCHAR(200), password VARCHAR(200),"
    " uid INTEGER, home VARCHAR(200));"
)


def _postgres(server: PostgresServer, count: int) -> None:
    server.database(DATABASE)
    server.account(ACCOUNT, SECRET)
    rows = "".join("\t".join(map(str, row)) + "\n" for row in users(count))
    server.execute(f"{SCHEMA}\nCOPY users FROM STDIN;\n{rows}\\.\nANALYZE users;\n", DATABASE)


def _mysql(server: MariadbServer, count: int) -> None:
    server.database(DATABASE)
    server.account(ACCOUNT, SECRET)
    statements, rows = [SCHEMA], [str(tuple(row)) for row in users(count)]
    for start in range(0, count, 1000):
        statements.append(f"INSERT INTO users VALUES {','.join(rows[start : start + 1000])};")
    server.execute("SET autocommit = 0;" + "\n".join(statements) + "COMMIT;", DATABASE)


def _redis(server: ValkeyServer, count: int) -> None:
    commands = []
    for row in users(count):
        commands += [
            ["DEL", f"credentials:{row.name}", f"userinfo:{row.name}"],
            ["SET", f"alias:{row.name}", row.alias],
            ["RPUSH", f"credentials:{row.name}", row.name, row.password],
            ["RPUSH", f"userinfo:{row.name}", str(row.uid), str(row.uid), row.home],
        ]
    server.load(commands)


def _ldap(server: SlapdServer, count: int) -> None:
    base = server.suffix(DATABASE)
    entries = (
        f"dn: uid={row.name},{base}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\n"
        f"uid: {row.name}\ncn: {row.name}\nsn: {row.name}\nmail: {row.alias}\n"
        f"userPassword: {row.password}\nuidNumber: {row.uid}\ngidNumber: {row.uid}\n"
        f"homeDirectory: {row.home}\n\n"
        for row in users(count)
    )
    server.load("".join(entries))


def _socketmap(server: SocketmapServer, count: int) -> None:
    server.rows((row.name.encode(), row.alias.encode()) for row in users(count))


BACKENDS = {
    "postgres": Backend(
        "table-postgres",
        PostgresServer,
        _postgres,
        f"conninfo host={PostgresServer.folder} user={ACCOUNT} dbname={DATABASE}\n"
        + QUERIES.format("$1"),
    ),
    "mysql": Backend(
        "table-mysql",
        MariadbServer,
        _mysql,
        f"host localhost\nusername {ACCOUNT}\npassword {SECRET}\ndatabase {DATABASE}\n"
        + QUERIES.format("?"),
    ),
    "redis": Backend(
        "table-redis",
        ValkeyServer,
        _redis,
        "master unix:/run/valkey/valkey.sock\nslave unix:/run/valkey/valkey.sock\n"
        "query_alias GET alias:%s\nquery_credentials LRANGE credentials:%s 0 -1\n"
        "query_userinfo LRANGE userinfo:%s 0 -1\n",
        absent=b"error",
    ),
    "ldap": Backend(
        "table-ldap",
        SlapdServer,
        _ldap,
        f"url ldap://127.0.0.1\nusername {ADMIN}\npassword {PASSWORD}\n"
        f"basedn ou={DATABASE},{SUFFIX}\n"
        "alias_filter (&(objectClass=posixAccount)(uid=%s))\nalias_attributes mail\n"
        "credentials_filter (&(objectClass=posixAccount)(uid=%s))\n"
        "credentials_attributes uid,userPassword\n"
        "userinfo_filter (&(objectClass=posixAccount)(uid=%s))\n"
        "userinfo_attributes uidNumber,gidNumber,homeDirectory\n",
    ),
    "socketmap": Backend(
        "table-socketmap",
        SocketmapServer,
        _socketmap,
        f"{SocketmapServer.folder}/{SocketmapServer.socket_name}",
        services=("alias",),
    ),
}
"""By the names that tables have in smtpd.conf."""
