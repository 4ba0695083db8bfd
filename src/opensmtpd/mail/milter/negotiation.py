"""The negotiation that begins a connection: versions, actions, steps, and names of macros.

The MTA offers all that it can do. The milter answers with the actions that it may ask for, the
steps that it wants left out or without a reply, and the macros that it wants at each stage.
Source: ``mfdef.h``, ``mfapi.h``; ``milter_negotiate`` in Sendmail's ``milter.c``.
"""

import re
import struct
from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import NamedTuple

from opensmtpd.errors import ProtocolError
from opensmtpd.mail.milter.commands import Command, strings

VERSION = 6
"""The version on offer (SMFI_PROT_VERSION)."""
VERSION_MIN = 2
"""The oldest that a milter may answer with."""


class MilterActions(IntFlag):
    """The actions that a milter may ask for (SMFIF_*)."""

    ADDHDRS = 0x001
    """Add and insert fields."""
    CHGBODY = 0x002
    ADDRCPT = 0x004
    DELRCPT = 0x008
    CHGHDRS = 0x010
    """Change and delete fields."""
    QUARANTINE = 0x020
    CHGFROM = 0x040
    ADDRCPT_PAR = 0x080
    """Add a recipient with ESMTP arguments."""
    SETSYMLIST = 0x100
    """Name the macros that it wants."""


class MilterSteps(IntFlag):
    """The steps that an MTA can leave out, and what it can do besides (SMFIP_*)."""

    NOCONNECT = 0x000001
    NOHELO = 0x000002
    NOMAIL = 0x000004
    NORCPT = 0x000008
    NOBODY = 0x000010
    NOHDRS = 0x000020
    NOEOH = 0x000040
    NR_HDR = 0x000080
    """NR: there will be no reply."""
    NOUNKNOWN = 0x000100
    """No unknown commands; none are sent ever, as smtpd tells filters of none."""
    NODATA = 0x000200
    SKIP = 0x000400
    """The reply SKIP is understood."""
    RCPT_REJ = 0x000800
    """Send recipients that are refused, too, as smtpd does: it asks its filters first."""
    NR_CONN = 0x001000
    NR_HELO = 0x002000
    NR_MAIL = 0x004000
    NR_RCPT = 0x008000
    NR_DATA = 0x010000
    NR_UNKN = 0x020000
    NR_EOH = 0x040000
    NR_BODY = 0x080000
    HDR_LEADSPC = 0x100000
    """Values of fields have all that stands behind the colon, in both directions."""


class Stage(IntEnum):
    """The stages that a milter may name macros for (SMFIM_*)."""

    CONNECT = 0
    HELO = 1
    ENVFROM = 2
    ENVRCPT = 3
    DATA = 4
    EOM = 5
    EOH = 6


ACTIONS = MilterActions(0x1FF)
"""All: a milter that lacks one of those it may need closes the connection."""
STEPS = MilterSteps(0x1FFFFF)
"""All that are defined (SMFI_CURR_PROT), which is what Sendmail and Postfix offer."""

MACROS: Mapping[Stage, tuple[str, ...]] = {
    Stage.CONNECT: (
        *("j", "_", "v", "{daemon_name}", "{if_addr}"),
        *("{client_addr}", "{client_name}", "{client_ptr}", "{client_port}"),
    ),
    Stage.HELO: ("{tls_version}", "{cipher}", "{cipher_bits}"),
    Stage.ENVFROM: ("i", "{auth_type}", "{auth_authen}", "{mail_addr}"),
    Stage.ENVRCPT: ("i", "{rcpt_addr}"),
    Stage.DATA: ("i",),
    Stage.EOH: ("i",),
    Stage.EOM: ("i",),
}
"""The macros of each stage for a milter that names none for it."""

_UNWANTED = {
    Command.CONNECT: MilterSteps.NOCONNECT,
    Command.HELO: MilterSteps.NOHELO,
    Command.MAIL: MilterSteps.NOMAIL,
    Command.RCPT: MilterSteps.NORCPT,
    Command.DATA: MilterSteps.NODATA,
    Command.HEADER: MilterSteps.NOHDRS,
    Command.EOH: MilterSteps.NOEOH,
    Command.BODY: MilterSteps.NOBODY,
}
_SILENT = {
    Command.CONNECT: MilterSteps.NR_CONN,
    Command.HELO: MilterSteps.NR_HELO,
    Command.MAIL: MilterSteps.NR_MAIL,
    Command.RCPT: MilterSteps.NR_RCPT,
    Command.DATA: MilterSteps.NR_DATA,
    Command.HEADER: MilterSteps.NR_HDR,
    Command.EOH: MilterSteps.NR_EOH,
    Command.BODY: MilterSteps.NR_BODY,
}
_STAGES = {
    Command.CONNECT: Stage.CONNECT,
    Command.HELO: Stage.HELO,
    Command.MAIL: Stage.ENVFROM,
    Command.RCPT: Stage.ENVRCPT,
    Command.DATA: Stage.DATA,
    Command.EOH: Stage.EOH,
    Command.EOM: Stage.EOM,
}
_NONE = MilterSteps(0)
_HEAD = struct.Struct("!III")
_SYMBOLS = re.compile(rb"(.{4})([^\0]*)\0", re.DOTALL)
_NAMES = re.compile(r"[^\s,]+")

OFFER = _HEAD.pack(VERSION, ACTIONS, STEPS)
"""The data of OPTNEG."""


class Negotiated(NamedTuple):
    """A milter's answer to the offer."""

    version: int
    actions: MilterActions
    """The actions that it may ask for."""
    steps: int
    """MilterSteps, as a number: Python keeps each combination of flags that it ever made."""
    macros: Mapping[Stage, tuple[str, ...]]
    """The names of macros for the stages that it named some, or none, for."""

    @property
    def leading_space(self) -> bool:
        """Return whether values of fields go with the space behind the colon (HDR_LEADSPC)."""
        return bool(self.steps & MilterSteps.HDR_LEADSPC)

    def wants(self, command: Command) -> bool:
        """Return whether a command is to be sent."""
        return not self.steps & _UNWANTED.get(command, _NONE)

    def replies(self, command: Command) -> bool:
        """Return whether the milter replies to a command that it wants."""
        return not self.steps & _SILENT.get(command, _NONE)

    def macro_data(self, command: Command, known: Mapping[str, bytes]) -> bytes:
        """Return the data of the MACRO in front of a command; empty where there is none to send.

        ``known`` are the macros that have values now, by their names as in MACROS.
        """
        stage = _STAGES.get(command)
        if stage is None:
            return b""
        names = self.macros.get(stage, MACROS[stage])
        pairs = [text for name in names if name in known for text in (name.encode(), known[name])]
        return command.value + strings(pairs) if pairs else b""


def read_answer(data: bytes) -> Negotiated:
    """Return a milter's answer, the data of its OPTNEG.

    Raises ProtocolError for one that is too short, of a version that we do not speak, or with
    actions or steps that are not on offer. Names for a stage that is unknown are left out, as
    Postfix does.
    """
    if len(data) < _HEAD.size:
        raise ProtocolError(f"a negotiation of {len(data)} bytes from the milter")
    version, actions, steps = _HEAD.unpack_from(data)
    if not VERSION_MIN <= version <= VERSION:
        raise ProtocolError(f"the milter speaks version {version}, not {VERSION_MIN} to {VERSION}")
    if unknown := actions & ~int(ACTIONS):  # an int: ~ of flags has the defined ones alone
        raise ProtocolError(f"the milter wants actions that do not exist: {unknown:#x}")
    if unknown := steps & ~int(STEPS):
        raise ProtocolError(f"the milter wants steps that do not exist: {unknown:#x}")
    if version < 3:  # which has unknown commands
        steps |= int(MilterSteps.NOUNKNOWN)
    if version < 4:  # which has DATA
        steps |= int(MilterSteps.NODATA)
    return Negotiated(version, MilterActions(actions), steps, _symbols(data))


def _symbols(data: bytes) -> dict[Stage, tuple[str, ...]]:
    """Return the names of macros by stage: uint32, C string, and so on to the end of the data."""
    found: dict[Stage, tuple[str, ...]] = {}
    at = _HEAD.size
    while at < len(data):
        pair = _SYMBOLS.match(data, at)
        if pair is None:
            raise ProtocolError("names of macros from the milter that do not end")
        at = pair.end()
        number = int.from_bytes(pair[1])
        if number <= max(Stage):
            names = _NAMES.findall(pair[2].decode("ascii", "replace"))
            found[Stage(number)] = tuple(dict.fromkeys(map(_macro, names)))
    return found


def _macro(name: str) -> str:
    """Return a name as in MACROS: ``i``, ``{auth_authen}``; ``$`` and braces are optional here."""
    bare = name.removeprefix("$").removeprefix("{").removesuffix("}")
    return bare if len(bare) == 1 else f"{{{bare}}}"
