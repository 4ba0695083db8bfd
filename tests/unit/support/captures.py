"""Captures, written as the programs write them, of what smtpd and a plugin said."""

from collections.abc import Iterable
from pathlib import Path

from opensmtpd.capture.channel import SLOT, SLOTS
from opensmtpd.capture.file import CaptureFile
from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEntry,
    CaptureHeader,
    CaptureKind,
    Speaker,
)
from opensmtpd.capture.writer import CaptureSettings, redaction

S, P = Speaker.SMTPD, Speaker.PLUGIN
MEMORY = SLOT * SLOTS


def refused(error: OSError) -> None:
    raise AssertionError(error)


def file(path: Path, kind: CaptureKind, **limits: int) -> CaptureFile:
    """Return a new capture."""
    header = CaptureHeader(kind, f"{kind}-x", 1_800_000_000.0)
    size, files = limits.get("size", 1 << 20), limits.get("files", 4)
    return CaptureFile(str(path), header, size=size, files=files, failed=refused)


def write(path: Path, kind: CaptureKind, entries: Iterable[CaptureEntry], **limits: int) -> Path:
    """Write a capture of these entries."""
    capture = file(path, kind, **limits)
    for entry in entries:
        capture.add(entry)
    capture.close(0.0)
    return path


def said(
    kind: CaptureKind,
    talk: Iterable[tuple[Speaker, bytes]],
    *,
    bodies: bool = True,
    addresses: bool = True,
    chunk: int | None = None,
) -> list[CapturedLines]:
    """Return what a capture has of a talk, chunk by chunk or piece by piece."""
    clean = redaction(kind, CaptureSettings("", 0, 0, bodies=bodies, addresses=addresses))
    entries = []
    for at, (speaker, data) in enumerate(talk):
        step = chunk or len(data) or 1
        for start in range(0, len(data), step):
            for lines, hidden in clean.feed(speaker, data[start : start + step]):
                entries.append(CapturedLines(1.8e9 + at, speaker, lines, hidden))
    return entries


def lines(entries: Iterable[CapturedLines]) -> list[tuple[Speaker, bytes, bool]]:
    """Return each line by itself, without its line feed."""
    return [
        (entry.speaker, line, entry.hidden)
        for entry in entries
        for line in entry.data[:-1].split(b"\n")
    ]


def talk(*texts: str) -> list[tuple[Speaker, bytes]]:
    """Return a talk of lines that begin with ``< `` or ``> ``."""
    return [(S if text[0] == "<" else P, text[2:].encode() + b"\n") for text in texts]
