"""The entry point of a table that always has a worker: its process starts before the table's own.

Both import at the same time then; see ``opensmtpd.early``.
"""

from opensmtpd import early


def sqlite() -> None:
    """Run table-sqlite."""
    early.start("opensmtpd.backends.sqlite.wal.worker:WalWorker")
    from opensmtpd_tables.sqlite import main  # noqa: PLC0415  see above

    main()
