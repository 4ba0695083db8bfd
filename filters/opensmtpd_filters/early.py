"""Entry points of filters that always have workers: their process starts before the filter's own.

Both import at the same time then; see ``opensmtpd.early``.
"""

from opensmtpd import early


def auth() -> None:
    """Run filter-auth."""
    early.start("opensmtpd.dns.resolver.process.worker:ResolverWorker")
    early.start("opensmtpd.mail.dkim.verify.keys_worker:PublicKeyWorker")
    from opensmtpd_filters.auth import main  # noqa: PLC0415  see above

    main()


def dkimsign() -> None:
    """Run filter-dkimsign."""
    early.start("opensmtpd.mail.dkim.keys.signing_worker:SigningWorker")
    from opensmtpd_filters.dkimsign import main  # noqa: PLC0415  see above

    main()


def dnsbl() -> None:
    """Run filter-dnsbl."""
    early.start("opensmtpd.dns.resolver.process.worker:ResolverWorker")
    from opensmtpd_filters.dnsbl import main  # noqa: PLC0415  see above

    main()
