"""PostgreSQL 17, with the empty database that Debian's package makes."""

import signal

from lab.peers.databases.server import TLS, DatabaseServer
from lab.root import inside

BIN = "/usr/lib/postgresql/17/bin"
DATA = "/var/lib/postgresql/17/main"
HBA = """\
local all all trust
host  all all 0.0.0.0/0 scram-sha-256
host  all all ::/0 scram-sha-256
"""
"""No password on the unix socket, one on TCP."""


class PostgresServer(DatabaseServer):
    """Port 5432 (TLS or not), unix socket in /run/postgresql."""

    name, user = "postgres", "postgres"
    port = tls_port = 5432
    folder, socket_name = "/run/postgresql", ".s.PGSQL.5432"
    ending = signal.SIGINT

    def _lay_out(self) -> None:
        (self.view / "etc/lab-hba").write_text(HBA)
        (self.view / "etc/lab-empty").touch()

    def _command(self) -> list[str]:
        settings = {
            "config_file": "/etc/lab-empty",
            "hba_file": "/etc/lab-hba",
            "listen_addresses": self.address,
            "unix_socket_directories": self.folder,
            "ssl": "on",
            "ssl_cert_file": f"/{TLS}/server.pem",
            "ssl_key_file": f"/{TLS}/server.pem",
            # The data is thrown away, and a kill -9 of the server is none of the machine.
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
                f"{BIN}/postgres", "-D", DATA, *options]  # fmt: skip

    def _answers(self) -> bool:
        asked = [f"{BIN}/psql", "-U", "postgres", "-Atc", "SELECT 1"]
        return inside.tried(self.view, *asked).returncode == 0

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run statements as the superuser; returns the rows, ``a|b`` a line.

        ``COPY table FROM STDIN;`` takes the lines behind it. Raises inside.CommandError.
        """
        options = ("-U", "postgres", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-")
        return self.run(f"{BIN}/psql", *options, given=sql)

    def database(self, name: str) -> None:
        """Make an empty database, in the place of one of that name."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE);')
        self.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8';")

    def account(self, user: str, password: str) -> None:
        """Make a user who may read all tables, or give him this password."""
        self.execute(
            f'DO $$ BEGIN CREATE ROLE "{user}"; EXCEPTION WHEN duplicate_object THEN END $$;'
            f"ALTER ROLE \"{user}\" LOGIN PASSWORD '{password}';"
            f'GRANT pg_read_all_data TO "{user}";'
        )
