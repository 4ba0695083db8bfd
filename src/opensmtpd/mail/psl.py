"""Organizational domains by the Public Suffix List, as RFC 7489 section 3.2 found them.

RFC 9989 has given the list up for its tree walk, so this is for those who ask for it; the package
publicsuffixlist has the list, and is imported then.
"""

from collections.abc import Callable

from opensmtpd.errors import ConfigError


def load() -> Callable[[str], str]:
    """Load the list; return a function that tells the organizational domain of a name.

    A name is in lower case, with A-labels. That of a public suffix, and of a name that is none, is
    the name itself; a top domain that the list does not have is a public suffix.

    Raises ConfigError where the package is missing.
    """
    try:
        from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  few have it, and it is large
    except ImportError as error:
        remedy = "pip install 'opensmtpd-plugins[psl]'"
        raise ConfigError(f"public suffixes need {error.name}", remedy=remedy) from None
    suffixes = PublicSuffixList()

    def organizational(name: str) -> str:
        return suffixes.privatesuffix(name) or name

    return organizational
