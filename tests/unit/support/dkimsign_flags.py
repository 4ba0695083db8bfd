"""Flags for filter-dkimsign that name the keys in the fixture ``folder``."""

from pathlib import Path

from opensmtpd_filters.dkimsign import DkimSign, parser


def ed(folder: Path, *more: str) -> list[str]:
    """Flags that sign with Ed25519: at once, without a thread."""
    key = str(folder / "ed.key")
    return ["-d", "example.com", "-s", "ed", "-k", key, "-a", "ed25519-sha256", *more]


def rsa(folder: Path, *more: str) -> list[str]:
    return ["-d", "example.com", "-s", "mail", "-k", str(folder / "rsa.key"), *more]


def table(folder: Path, text: str) -> list[str]:
    (folder / "table").write_text(text, encoding="ascii")
    return ["-f", str(folder / "table")]


def make(flags: list[str]) -> DkimSign:
    return DkimSign(parser().parse_args(flags))
