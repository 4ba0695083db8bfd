"""Entry points of filters. The process of their workers starts before their own modules are read.

Both import at the same time then; see ``opensmtpd.early``. Without workers, it is only Python's
garbage collector that waits until smtpd is served.
"""

import gc
import sys

from opensmtpd import early

RESOLVER = "opensmtpd.dns.resolver.process.worker:ResolverWorker"
ASKING = ("--verify", "--helo-dns")
"""The options with which filter-rdns and filter-fcrdns ask the DNS."""
COPIES = "opensmtpd.mail.archive.worker:ArchiveWorker"
STATE_IN_FILE = "opensmtpd.backends.state.file.worker:FileWorker"
STATE_IN_MEMORY = "opensmtpd.backends.state.file.memory:MemoryWorker"
STATE_ON_SERVER = "opensmtpd.backends.state.valkey.worker:ValkeyWorker"


def archive() -> None:
    """Run filter-archive."""
    early.start(COPIES)
    from opensmtpd_filters.archive import main  # noqa: PLC0415  see above

    main()


def auth() -> None:
    """Run filter-auth."""
    early.start(RESOLVER)
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
    early.start(RESOLVER)
    from opensmtpd_filters.dnsbl import main  # noqa: PLC0415  see above

    main()


def fcrdns() -> None:
    """Run filter-fcrdns."""
    _start_resolver_for(sys.argv)
    from opensmtpd_filters.rdns import main_fcrdns  # noqa: PLC0415  see above

    main_fcrdns()


def greylist() -> None:
    """Run filter-greylist."""
    early.start(RESOLVER)
    early.start(_worker_of_state(sys.argv))
    from opensmtpd_filters.greylist import main  # noqa: PLC0415  see above

    main()


def headers() -> None:
    """Run filter-headers."""
    gc.disable()
    from opensmtpd_filters.headers import main  # noqa: PLC0415  see above

    main()


def limit() -> None:
    """Run filter-limit."""
    early.start(_worker_of_state(sys.argv))
    from opensmtpd_filters.limit import main  # noqa: PLC0415  see above

    main()


def metrics() -> None:
    """Run filter-metrics."""
    gc.disable()
    from opensmtpd_filters.metrics import main  # noqa: PLC0415  see above

    main()


def milter() -> None:
    """Run filter-milter."""
    early.start("opensmtpd.mail.milter.process.worker:MilterWorker")
    from opensmtpd_filters.milter import main  # noqa: PLC0415  see above

    main()


def rdns() -> None:
    """Run filter-rdns."""
    _start_resolver_for(sys.argv)
    from opensmtpd_filters.rdns import main  # noqa: PLC0415  see above

    main()


def rspamd() -> None:
    """Run filter-rspamd."""
    early.start("opensmtpd.mail.rspamd.worker:RspamdWorker")
    from opensmtpd_filters.rspamd import main  # noqa: PLC0415  see above

    main()


def senderscore() -> None:
    """Run filter-senderscore."""
    early.start(RESOLVER)
    from opensmtpd_filters.senderscore import main  # noqa: PLC0415  see above

    main()


def _worker_of_state(words: list[str]) -> str:
    """Return the worker that ``--state`` asks for, as ``backends.state.options`` reads it."""
    where = ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, given, value = word.partition("=")
        if name == "--state":
            where = value if given else following
    if where.startswith("/"):
        return STATE_IN_FILE
    return STATE_ON_SERVER if where else STATE_IN_MEMORY


def _start_resolver_for(words: list[str]) -> None:
    """Start the resolver's process where options need one."""
    gc.disable()
    if any(word.partition("=")[0] in ASKING for word in words):
        early.start(RESOLVER)
