"""The guide's filter-dkimsign with more flags."""

from collections.abc import Callable

from lab.shows.guide import Guide

_COMMAND = "filter-dkimsign -d"


def more_flags(flags: str) -> Callable[[Guide], None]:
    """Return what puts ``flags`` in front of those in the guide's smtpd.conf."""

    def prepare(guide: Guide) -> None:
        path = guide.view / "etc/mail/smtpd.conf"
        text = path.read_text(encoding="utf-8")
        assert text.count(_COMMAND) == 1
        text = text.replace(_COMMAND, f"filter-dkimsign {flags} -d")
        path.write_text(text, encoding="utf-8")

    return prepare
