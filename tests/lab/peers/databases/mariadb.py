"""MariaDB 11.8, with the empty database that Debian's package makes."""

from lab.peers.databases.server import TLS, DatabaseServer
from lab.root import inside

CLIENT = ("mariadb", "--no-defaults", "--skip-ssl", "--default-character-set=utf8mb4", "--batch",
          "--skip-column-names")  # fmt: skip


class MariadbServer(DatabaseServer):
    """Port 3306 (TLS or not), unix socket in /run/mysqld; root needs no password there."""

    name, user = "mariadb", "mysql"
    port = tls_port = 3306
    folder, socket_name = "/run/mysqld", "mysqld.sock"

    def _lay_out(self) -> None:
        """There is nothing besides."""

    def _command(self) -> list[str]:
        pem = f"/{TLS}/server.pem"
        options = [
            "--no-defaults", "--user=mysql", "--datadir=/var/lib/mysql",
            f"--socket={self.folder}/{self.socket_name}", f"--bind-address={self.address}",
            "--character-set-server=utf8mb4", "--skip-name-resolve",
            f"--ssl-cert={pem}", f"--ssl-key={pem}", f"--ssl-ca=/{TLS}/ca.pem",
            # The data is thrown away, and a kill -9 of the server is none of the machine:
            # the system has what was committed.
            "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--debug-no-sync",
            "--innodb-buffer-pool-size=32M", "--aria-pagecache-buffer-size=8M",
            "--innodb-log-file-size=8M", "--log-warnings=1",
        ]  # fmt: skip
        return ["/usr/sbin/mariadbd", *options]

    def _answers(self) -> bool:
        return inside.tried(self.view, *CLIENT, "-e", "SELECT 1").returncode == 0

    def execute(self, sql: str, database: str = "") -> str:
        """Run statements as root; returns the rows, with tabs between columns.

        Raises inside.CommandError.
        """
        return self.run(*CLIENT, *filter(None, [database]), given=sql)

    def database(self, name: str) -> None:
        """Make an empty database, in the place of one of that name."""
        self.execute(f"DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}`;")

    def account(self, user: str, password: str) -> None:
        """Make a user who may read all tables, or give him this password."""
        self.execute(
            f"CREATE USER IF NOT EXISTS '{user}'@'%'; GRANT SELECT ON *.* TO '{user}'@'%';"
            f"ALTER USER '{user}'@'%' IDENTIFIED BY '{password}';"
        )
