"""Which lists are asked, and which are believed: a list that is dead, or lies, must not hurt."""

from collections.abc import Callable

from opensmtpd.dns import Question
from opensmtpd.dnsbl.lists import List
from opensmtpd.log import log

FAILURES = 5
"""Failures in a row, each of another question, after which a list is left out."""
PAUSE = 60.0
"""Seconds for which it is; twice as long after each attempt that fails."""
PAUSE_MAX = 1800.0
OFF = 3600.0
"""Seconds for which a list is not asked that refuses us."""


class _State:
    __slots__ = ("failed", "on_trial", "out", "pause", "since", "until", "world")

    def __init__(self) -> None:
        self.failed: set[Question] = set()  # a failure that is remembered counts once
        self.since = 0.0  # the last one: what is older is no news
        self.out = False
        self.until = 0.0  # it is out
        self.pause = 0.0
        self.on_trial = False
        self.world = False


class Health:
    """The health of all lists, as their answers tell it. Lists of one zone share theirs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` returns seconds that never go back."""
        self._clock = clock
        self._states: dict[Question, _State] = {}

    def _of(self, each: List) -> _State:
        state = self._states.get(each.probe)
        if state is None:
            state = self._states[each.probe] = _State()
        return state

    def asks(self, each: List) -> bool:
        """Is the list to be asked now? To try one that is out, one decision may, and no more.

        Ask here once for a decision.
        """
        state = self._of(each)
        if not state.out:
            return True
        if self._clock() < state.until:
            return False
        state.on_trial = True
        state.until = self._clock() + state.pause
        return True

    def answered(self, each: List, received_at: float) -> None:
        """Note that the list answered.

        ``received_at`` is the time of the reply: an older one than the last failure proves nothing.
        """
        state = self._of(each)
        if received_at <= state.since:
            return
        state.failed.clear()
        if state.out and state.on_trial:  # else it was asked before it was known to be out
            state.out = state.on_trial = False
            log("list-back", list=each.shown)

    def failed(self, each: List, question: Question, reason: str) -> None:
        """The list did not answer."""
        state = self._of(each)
        if state.out:
            if state.on_trial:
                self._leave_out(state, min(state.pause * 2, PAUSE_MAX))
            return
        state.failed.add(question)
        state.since = self._clock()
        if len(state.failed) >= FAILURES:
            self._leave_out(state, PAUSE)
            log("list-left-out", list=each.shown, reason=reason, failures=FAILURES)

    def refused(self, each: List, reason: str) -> None:
        """What the list answered is no answer."""
        state = self._of(each)
        if state.out and not state.on_trial:
            return  # asked before that was known
        self._leave_out(state, OFF)
        log("list-off", list=each.shown, reason=reason, seconds=int(OFF))

    def _leave_out(self, state: _State, pause: float) -> None:
        state.failed.clear()
        state.since = self._clock()
        state.out, state.on_trial = True, False
        state.pause, state.until = pause, self._clock() + pause

    def probed(self, each: List, found: bool) -> None:
        """Does the list list what nobody may list?"""
        state = self._of(each)
        if found is state.world:
            return
        state.world = found
        if found:
            log("list-not-believed", list=each.shown, reason=f"it lists {each.probed}")
        else:
            log("list-believed", list=each.shown)

    def believed(self, each: List) -> bool:
        """Is what it says to be believed?"""
        return not self._of(each).world
