"""From the process that passes bytes on to the process that writes them down: it never waits.

Large pieces are read into memory that both processes have, small ones go through the socket between
them. A frame is a time (double), a kind (a byte), a number (32 bits) and a slot of that memory (16
bits). Of the kinds 0 and 1 (smtpd and the plugin), the number counts the bytes, which are in the
slot, or follow where it is NO_SLOT. The kinds 2 and 3 say how many bytes of smtpd's or of the
plugin's were left out for want of room; 4 is the end of the program, with its status. The writer
gives a slot back by its number, 16 bits.
"""

import mmap
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from socket import socket

from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEnd,
    CaptureEntry,
    CaptureLoss,
    Speaker,
)

_FRAME = struct.Struct("!dBiH")
_BACK = struct.Struct("!H")
_END = 4
NO_SLOT = 0xFFFF
SLOT = 1 << 17
"""Bytes of a slot, and so of one read."""
SLOTS = 128
_SMALL = 4096
"""Bytes that go through the socket."""
WAITING_MAX = 1 << 20
"""Bytes that wait for the writer on our side of the socket, at most; what comes then is lost."""
_COUNT_MAX = 1 << 30
_AT_ONCE = 16
"""Buffers that are sent by one call."""


class CaptureChannel:
    """The end of the process that passes bytes on. ``link`` is None when the writer is gone."""

    def __init__(self, link: socket, memory: mmap.mmap) -> None:
        link.setblocking(False)
        self.link: socket | None = link
        whole = memoryview(memory)
        self._slots = [whole[at : at + SLOT] for at in range(0, len(memory), SLOT)]
        self._free = list(range(len(self._slots)))
        self._spare = memoryview(bytearray(SLOT))
        self._waiting: deque[memoryview] = deque()
        self._size = 0
        self._lost = [0, 0]
        self._back = b""

    @property
    def waiting(self) -> bool:
        """True while bytes wait: call ``flush`` when the link can be written to."""
        return bool(self._waiting)

    @property
    def short(self) -> bool:
        """True where there are few slots: call ``take_back`` when the link can be read."""
        return self.link is not None and len(self._free) < len(self._slots) // 2

    def buffer(self) -> memoryview:
        """Return where to read the next piece into; it is valid up to the next call."""
        return self._slots[self._free[-1]] if self._free and self.link else self._spare

    def say(self, now: float, speaker: Speaker, size: int) -> None:
        """Hand over so many bytes of ``buffer``, which one side said, or count them as lost."""
        if self.link is None:
            return
        if not self._free or self._size > WAITING_MAX:
            self._lost[speaker] = min(self._lost[speaker] + size, _COUNT_MAX)
            return
        self._tell_lost(now)
        if size <= _SMALL:
            data = bytes(self._slots[self._free[-1]][:size])
            self._put(_FRAME.pack(now, speaker, size, NO_SLOT) + data)
        else:
            self._put(_FRAME.pack(now, speaker, size, self._free.pop()))
        self.flush()

    def end(self, now: float, status: int) -> None:
        """Hand over the end of the program."""
        if self.link is not None:
            self._tell_lost(now)
            self._put(_FRAME.pack(now, _END, status, NO_SLOT))
            self.flush()

    def flush(self) -> None:
        """Send what the writer takes at once."""
        waiting = self._waiting
        try:
            while self.link is not None and waiting:
                some = [waiting[at] for at in range(min(_AT_ONCE, len(waiting)))]
                self._sent(self.link.sendmsg(some))
        except BlockingIOError:
            pass
        except OSError:  # the writer has ended, and said why
            self.close()

    def take_back(self) -> None:
        """Take the slots that the writer gives back."""
        try:
            data = self.link.recv(4096) if self.link else b""
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        data = self._back + data
        whole = len(data) - len(data) % _BACK.size
        slots = (slot for (slot,) in _BACK.iter_unpack(data[:whole]))
        self._free += [slot for slot in slots if slot < len(self._slots)]
        self._back = data[whole:]

    def close(self) -> None:
        """Have no more written."""
        if self.link is not None:
            self.link.close()
        self.link = None
        self._waiting.clear()
        self._size = 0

    def _tell_lost(self, now: float) -> None:
        for each in Speaker:
            if self._lost[each]:
                self._put(_FRAME.pack(now, each + 2, self._lost[each], NO_SLOT))
                self._lost[each] = 0

    def _put(self, data: bytes) -> None:
        self._waiting.append(memoryview(data))
        self._size += len(data)

    def _sent(self, count: int) -> None:
        self._size -= count
        while count:
            first = self._waiting.popleft()
            if len(first) > count:
                self._waiting.appendleft(first[count:])
                return
            count -= len(first)


class ChannelReader:
    """The end of the writer: bytes in any chunking to what was said."""

    def __init__(self, link: socket, memory: mmap.mmap) -> None:
        self._link = link
        self._memory = memory
        self._data = b""

    def feed(self, data: bytes) -> Iterator[tuple[Speaker | None, CaptureEntry]]:
        """Take bytes; yield the frames that they complete, and the side that a loss is of."""
        self._data = data = self._data + data
        at = 0
        while len(data) - at >= _FRAME.size:
            time, kind, number, slot = _FRAME.unpack_from(data, at)
            start = at + _FRAME.size
            if kind > 1:
                lost = Speaker(kind - 2) if kind != _END else None
                yield lost, CaptureEnd(time, number) if lost is None else CaptureLoss(time, number)
            elif slot != NO_SLOT:
                said = self._memory[slot * SLOT : slot * SLOT + number]
                with suppress(OSError):  # the other process has ended
                    self._link.sendall(_BACK.pack(slot))
                yield Speaker(kind), CapturedLines(time, Speaker(kind), said)
            elif len(data) - start < number:
                break
            else:
                said = data[start : start + number]
                start += number
                yield Speaker(kind), CapturedLines(time, Speaker(kind), said)
            at = start
        self._data = data[at:]
