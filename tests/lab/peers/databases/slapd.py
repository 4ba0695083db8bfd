"""OpenLDAP's slapd 2.6, with the empty directory that Debian's package makes."""

from lab.peers.databases.server import TLS, DatabaseServer
from lab.root import inside

SUFFIX = "dc=nodomain"
ADMIN, PASSWORD = f"cn=admin,{SUFFIX}", "admin-secret"
URL = "ldapi://%2Frun%2Fslapd%2Fldapi"
CONFIG = f"""\
dn: cn=config
changetype: modify
replace: olcTLSCertificateFile
olcTLSCertificateFile: /{TLS}/server.pem
-
replace: olcTLSCertificateKeyFile
olcTLSCertificateKeyFile: /{TLS}/server.pem
-
replace: olcTLSVerifyClient
olcTLSVerifyClient: never

dn: olcDatabase={{1}}mdb,cn=config
changetype: modify
replace: olcRootPW
olcRootPW: {PASSWORD}
-
replace: olcDbNoSync
olcDbNoSync: TRUE
-
add: olcAccess
olcAccess: {{0}}to *
  by dn.exact=gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth manage
  by * break
-
add: olcDbIndex
olcDbIndex: mail eq

"""


class SlapdServer(DatabaseServer):
    """Ports 389 (StartTLS or not) and 636 (TLS), unix socket in /run/slapd.

    ADMIN with PASSWORD may do all; root may on the unix socket. Passwords can be used to bind by
    everybody and read by ADMIN alone; all else is read by everybody.
    """

    name, user = "slapd", "openldap"
    port, tls_port = 389, 636
    folder, socket_name = "/run/slapd", "ldapi"

    def _lay_out(self) -> None:
        config = ("-F", "/etc/ldap/slapd.d", "-b", "cn=config")
        self.run("slapadd", *config, "-l", "/etc/ldap/schema/misc.ldif")  # nisMailAlias
        self.run("slapmodify", *config, given=CONFIG)
        self.run("chown", "-R", "openldap:", "/etc/ldap/slapd.d")

    def _command(self) -> list[str]:
        urls = f"ldap://{self.address}:389 ldaps://{self.address}:636 {URL}"
        return ["slapd", "-d", "0", "-u", "openldap", "-g", "openldap", "-h", urls,
                "-F", "/etc/ldap/slapd.d"]  # fmt: skip

    def _answers(self) -> bool:
        return inside.tried(self.view, "ldapwhoami", "-QY", "EXTERNAL", "-H", URL).returncode == 0

    def execute(self, ldif: str) -> str:
        """Do what LDIF says: entries are added, those with a ``changetype`` changed.

        Raises inside.CommandError.
        """
        return self.run("ldapmodify", "-aQY", "EXTERNAL", "-H", URL, given=ldif)

    def load(self, ldif: str) -> None:
        """Add many entries. It restarts the server. Raises inside.CommandError."""
        self.stop()
        self.run("slapadd", "-q", "-F", "/etc/ldap/slapd.d", "-b", SUFFIX, given=ldif)
        self.run("chown", "-R", "openldap:", "/var/lib/ldap")
        self.start()

    def search(self, base: str, query: str = "(objectClass=*)", *attributes: str) -> str:
        """Return entries as LDIF. Raises inside.CommandError."""
        command = ("ldapsearch", "-o", "ldif-wrap=no", "-LLLQY", "EXTERNAL", "-H", URL)
        return self.run(*command, "-b", base, query, *attributes)

    def suffix(self, name: str) -> str:
        """Make an empty part of the directory, in the place of one of that name; returns its DN."""
        base = f"ou={name},{SUFFIX}"
        inside.tried(self.view, "ldapdelete", "-rQY", "EXTERNAL", "-H", URL, base)
        self.execute(f"dn: {base}\nobjectClass: organizationalUnit\n\n")
        return base
