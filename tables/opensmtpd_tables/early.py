"""Entry points of tables. The process of their workers starts as soon as it can.

Both import at the same time then, or what both need is imported once; see ``opensmtpd.early``.
Without workers, it is only Python's garbage collector that waits until smtpd is served.
"""

import gc

from opensmtpd import early


def dovecot() -> None:
    """Run table-dovecot."""
    gc.disable()
    from opensmtpd_tables.dovecot import main  # noqa: PLC0415  see above

    main()


def flat() -> None:
    """Run table-flat."""
    gc.disable()
    from opensmtpd_tables.flat import main  # noqa: PLC0415  see above

    main()


def ldap() -> None:
    """Run table-ldap."""
    early.start("opensmtpd.backends.ldap.worker:LdapWorker")
    from opensmtpd_tables.ldap import main  # noqa: PLC0415  see above

    main()


def mysql() -> None:
    """Run table-mysql."""
    gc.disable()
    from opensmtpd_tables.mysql import main  # noqa: PLC0415  see above

    main()


def passwd() -> None:
    """Run table-passwd."""
    gc.disable()
    from opensmtpd_tables.passwd import main  # noqa: PLC0415  see above

    main()


def postgres() -> None:
    """Run table-postgres."""
    early.start("opensmtpd.backends.postgres.worker:PostgresWorker")
    from opensmtpd_tables.postgres import main  # noqa: PLC0415  see above

    main()


def redis() -> None:
    """Run table-redis."""
    gc.disable()
    from opensmtpd_tables.redis import main  # noqa: PLC0415  see above

    main()


def socketmap() -> None:
    """Run table-socketmap."""
    gc.disable()
    from opensmtpd_tables.socketmap import main  # noqa: PLC0415  see above

    main()


def sqlite() -> None:
    """Run table-sqlite."""
    early.start("opensmtpd.backends.sqlite.wal.worker:WalWorker", "opensmtpd_tables.sqlite")
    from opensmtpd_tables.sqlite import main  # noqa: PLC0415  see above

    main()
