"""The type checker knows what may answer which phase, before anything runs."""

from pathlib import Path

import pytest
from mypy import api

PREAMBLE = """
from opensmtpd.filter import events
from opensmtpd.filter import JUNK, PROCEED, CommitDecision, Decision, Junk, PhaseDecision, Reject
from opensmtpd.filter import ParameterDecision, Rewrite
from opensmtpd.filter import Filter
from opensmtpd.filter import EditedMessage, HeldMessage, MessageHandler, StreamedMessage
from opensmtpd.answer import Offload
from opensmtpd.filter import Session
from opensmtpd.timers import every

class Some(Filter):
"""

GOOD = """
    uses = ("rdns", "username")
    def on_connect(self, session: Session, request: events.Connect) -> PhaseDecision:
        return JUNK
    async def on_helo(self, session: Session, request: events.Helo) -> ParameterDecision:
        return Rewrite(b"name.example")
    def on_mail_from(self, session: Session, request: events.MailFrom) -> Offload[Junk]:
        return Offload(lambda: JUNK)
    def on_commit(self, session: Session, request: events.Commit) -> CommitDecision:
        return Reject(550, "5.7.1 No") if session.id else PROCEED
    async def on_tx_commit(self, session: Session, report: events.TxCommit) -> None:
        print(report.size)
    def on_message(self, session: Session) -> MessageHandler | None:
        kinds = (HeldMessage, StreamedMessage, Plain, Later, Threaded)
        return kinds[len(session.id) % 5]()
    async def start(self) -> None:
        print("start")
    def stop(self) -> None:
        print("stop")
    @every(60)
    def plain(self) -> None:
        print("plain")
    @every(0.5)
    async def later(self) -> None:
        await self.start()
    @every(1)
    def offloaded(self) -> Offload[None]:
        return Offload(self.plain)

class Plain(EditedMessage):
    def end(self) -> None:
        for field in self.named(b"Subject"):
            self.replace(field, [b"[spam]", b"\\t" + field.value])
        self.remove(self.append(b"X", b"y"))

class Later(EditedMessage):
    async def end(self) -> None:
        self.insert(0, b"X", b"y\\n z")

class Threaded(EditedMessage):
    def end(self) -> Offload[None]:
        return Offload(lambda: self.append_body([b"x"]))
"""
BAD = {
    "junk at commit": """
    def on_commit(self, session: Session, request: events.Commit) -> PhaseDecision:
        return JUNK
""",
    "junk at commit, out of sight": """
    async def on_commit(self, session: Session, request: events.Commit) -> CommitDecision:
        return JUNK
""",
    "rewrite at connect": """
    def on_connect(self, session: Session, request: events.Connect) -> ParameterDecision:
        return Rewrite(b"x")
""",
    "text for a decision": """
    def on_data(self, session: Session, request: events.Data) -> str:
        return "proceed"
""",
    "nothing for a decision": """
    def on_rcpt_to(self, session: Session, request: events.RcptTo) -> None:
        return None
""",
    "junk to QUIT": """
    def on_quit(self, session: Session, request: events.Quit) -> Offload[Decision]:
        return Offload(lambda: JUNK)
""",
    "a coroutine for a message": """
    async def on_message(self, session: Session) -> HeldMessage:
        return HeldMessage()
""",
    "lines at the end of an edited message": """
    def on_message(self, session: Session) -> EditedMessage:
        return Front()

class Front(EditedMessage):
    def end(self) -> list[bytes]:
        return [b"X: y"]
""",
    "text for a field": """
    def on_message(self, session: Session) -> EditedMessage:
        return Text()

class Text(EditedMessage):
    def end(self) -> None:
        self.prepend("X", "y")
""",
    "a name that sessions have not": """
    uses = ("rdsn",)
""",
    "a name without its comma": """
    uses = ("rdns")
""",
    "a timer that wants an argument": """
    @every(60)
    def tick(self, session: Session) -> None:
        print("tick")
""",
    "a timer without its seconds": """
    @every
    def tick(self) -> None:
        print("tick")
""",
    "a start that returns something": """
    def start(self) -> int:
        return 0
""",
    "the wrong event": """
    def on_helo(self, session: Session, request: events.Connect) -> PhaseDecision:
        return PROCEED
""",
}


def check(folder: Path, source: str) -> tuple[str, int]:
    """Run mypy on a filter; return its words and its exit code."""
    path = folder / "some.py"
    path.write_text(PREAMBLE + source)
    cache = folder.parent / "mypy-cache"
    out, err, code = api.run(["--strict", f"--cache-dir={cache}", str(path)])
    return out + err, code


def test_legal_answers_pass(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD) == ("Success: no issues found in 1 source file\n", 0)


@pytest.mark.parametrize("source", BAD.values(), ids=BAD)
def test_illegal_answers_do_not(tmp_path: Path, source: str) -> None:
    words, code = check(tmp_path, source)
    assert code == 1, words
    assert "error:" in words
    assert "some.py" in words
