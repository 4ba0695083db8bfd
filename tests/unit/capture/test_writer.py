"""The process that writes: what it is handed, and what it makes of it."""

import mmap
import socket

from opensmtpd.capture.channel import SLOT, CaptureChannel, ChannelReader
from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEnd,
    CaptureEntry,
    CaptureKind,
    CaptureLoss,
)
from opensmtpd.capture.redaction.filter_redaction import FilterRedaction
from opensmtpd.capture.redaction.table_redaction import TableRedaction
from opensmtpd.capture.writer import CaptureSettings, Writing, redaction
from unit.support.captures import P, S


def test_each_kind_has_its_redaction() -> None:
    settings = CaptureSettings("x", 1, 1)
    assert isinstance(redaction(CaptureKind.FILTER, settings), FilterRedaction)
    assert isinstance(redaction(CaptureKind.TABLE, settings), TableRedaction)


def test_frames_become_entries_without_secrets() -> None:
    ours, theirs = socket.socketpair()
    memory = mmap.mmap(-1, SLOT)
    channel = CaptureChannel(ours, memory)
    entries: list[CaptureEntry] = []
    writing = Writing(ChannelReader(theirs, memory), TableRedaction(), entries.append)
    head = b"table|0.1|1.0|t|"
    for now, speaker, data in (
        (1.0, S, head + b"lookup|alias|0a|x\n" + head + b"check|auth|0b|x:sec"),
        (2.0, S, b"ret\n"),
        (3.0, P, b"check-result|0b|found\n"),
    ):
        channel.buffer()[: len(data)] = data
        channel.say(now, speaker, len(data))
    channel._lost[S] = 70
    data = head + b"check|auth|0c|x:secret\n"
    channel.buffer()[: len(data)] = data
    channel.say(4.0, S, len(data))
    channel.end(5.0, 3)
    writing.feed(theirs.recv(1 << 16))
    theirs.close()
    channel.close()
    assert entries == [
        CapturedLines(1.0, S, head + b"lookup|alias|0a|x\n"),
        CapturedLines(2.0, S, head + b"check|auth|0b|***\n", True),
        CapturedLines(3.0, P, b"check-result|0b|found\n"),
        CaptureLoss(4.0, 70),
        CaptureEnd(5.0, 3),
    ]
