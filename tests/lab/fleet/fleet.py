"""The fleet: its databases, its nodes, and what an administrator does to it."""

import smtplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from lab.fleet.network import DATABASES, LISTED, SWITCH, switch
from lab.fleet.node import PAGE, Node, node
from lab.peers.databases.postgres import PostgresServer
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.nameserver import NameServer
from lab.root import inside
from lab.shows import markdown

T = TypeVar("T")
DATABASE = "mail"
QUESTION = (ip_address(LISTED).reverse_pointer.replace("in-addr.arpa", "bl.example.org"), "A")
"""To the DNS list of the page, about the client whom it lists."""


@dataclass
class Fleet:
    """Three mail servers that know the same."""

    postgres: PostgresServer
    valkey: ValkeyServer
    nodes: list[Node]
    dns: NameServer

    def sql(self, statement: str) -> str:
        """Run a statement on the database of all nodes; returns the rows."""
        return self.postgres.execute(statement, DATABASE)

    def add_user(self, name: str, password: str) -> None:
        """Add an account, once."""
        hashed = inside.done(self.nodes[0].view, "openssl", "passwd", "-6", password).strip()
        self.sql(f"INSERT INTO accounts VALUES ('{name}', '{hashed}');")

    def block(self, sender: str) -> None:
        """Have nobody take mail from a sender."""
        self.valkey.execute("SET", f"blocked:{sender}", "1")

    def page(self, heading: str) -> None:
        """Do what the page shows below a heading to the databases."""
        for block in markdown.blocks(PAGE):
            if block.heading == heading and block.kind == "sql":
                self.sql(block.text)
            if block.heading == heading and block.kind == "sh":
                commands = block.text.replace("valkey-cli", f"valkey-cli -h {DATABASES}")
                self.valkey.run("sh", "-ec", commands)

    def take(self) -> list[bytes]:
        """Return the messages that were delivered anywhere, each once."""
        return [message for each in self.nodes for message in each.take()]

    def all(self, act: Callable[[Node], T]) -> list[T]:
        """Do something with all nodes, at once. Raises what one of them raises."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            return list(pool.map(act, self.nodes))

    def start(self) -> None:
        """Start all nodes. Raises ServerError."""
        self.all(lambda node: node.server.__enter__())


@contextmanager
def fleet(roots: Sequence[Path], databases: Path) -> Iterator[Fleet]:
    """Have a fleet, of which the databases run.

    Each node is a view of one of ``roots``, which have our package and the guide's certificate;
    ``databases`` is the root with the servers in it.
    """
    with ExitStack() as stack:
        stack.enter_context(switch())
        postgres = stack.enter_context(PostgresServer(databases, address=DATABASES))
        valkey = stack.enter_context(ValkeyServer(databases, address=DATABASES))
        postgres.database(DATABASE)
        dns = stack.enter_context(NameServer({QUESTION: ["127.0.0.2"]}, (SWITCH, 53)))
        authorities = {"/etc/mail/ca.pem": postgres.ca, "/etc/mail/valkey-ca.pem": valkey.ca}
        nodes = [
            stack.enter_context(node(number, root, authorities))
            for number, root in enumerate(roots, 1)
        ]
        made = Fleet(postgres, valkey, nodes, dns)
        made.page("The databases")
        yield made


def connect(to: Node, port: int = 25, source: str = SWITCH) -> smtplib.SMTP:
    """Connect to a node and say EHLO. Raises OSError, SMTPException."""
    client = smtplib.SMTP(
        to.address, port, "client.example.net", timeout=60, source_address=(source, 0)
    )
    client.ehlo_or_helo_if_needed()
    return client


def rcpt(to: Node, recipient: str, sender: str = "bob@example.net") -> int:
    """Return the reply to a recipient; 421 where there is no session."""
    try:
        with connect(to) as client:
            code, _ = client.mail(sender)
            return code if code >= 400 else client.rcpt(recipient)[0]
    except (smtplib.SMTPException, OSError):
        return 421


def log_in(to: Node, user: str, password: str) -> int:
    """Return the reply to a login on the port for users; 421 where there is no session."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with connect(to, 587) as client:
            client.starttls(context=context)
            try:
                return client.login(user, password)[0]
            except smtplib.SMTPResponseException as error:
                return error.smtp_code
    except (smtplib.SMTPException, OSError):
        return 421
