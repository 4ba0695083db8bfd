"""The health of DNS lists: it decides which are asked and which are believed.

A list that is dead, or that lists everybody, must not harm the mail of anybody.
"""

from collections.abc import Callable

from opensmtpd.dns import Question
from opensmtpd.log import log
from opensmtpd.mail.dnsbl.lists import List

FAILURES = 5
"""Failures in a row, of different questions, after which a list is left out."""
PAUSE = 60.0
"""Seconds for which it is left out; doubled after each attempt that fails."""
PAUSE_MAX = 1800.0
OFF = 3600.0
"""Seconds for which a list is left out that refuses our questions."""


class _State:
    __slots__ = ("failed", "lists_everybody", "on_trial", "out", "pause", "since", "until")

    def __init__(self) -> None:
        self.failed: set[Question] = set()  # a set: a remembered failure counts once
        self.since = 0.0  # the last failure: older replies prove nothing
        self.out = False
        self.until = 0.0  # the end of being out
        self.pause = 0.0
        self.on_trial = False
        self.lists_everybody = False


class Health:
    """The health of all lists, learnt from their replies. Lists of one zone share theirs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a monotonic clock, which returns seconds."""
        self._clock = clock
        self._states: dict[Question, _State] = {}

    def _of(self, each: List) -> _State:
        state = self._states.get(each.probe)
        if state is None:
            state = self._states[each.probe] = _State()
        return state

    def asks(self, each: List) -> bool:
        """Return whether to ask the list now. Call this once for each decision.

        After its pause, a list that is left out is on trial: one decision asks it.
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
        if state.out and state.on_trial:  # else it was asked before it was left out
            state.out = state.on_trial = False
            log("list-back", list=each.shown)

    def failed(self, each: List, question: Question, reason: str) -> None:
        """Note that the list did not answer ``question``."""
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
        """Note that the list refused, or that its answer is not one of a DNS list."""
        state = self._of(each)
        if state.out and not state.on_trial:
            return  # it was asked before it was left out
        self._leave_out(state, OFF)
        log("list-off", list=each.shown, reason=reason, seconds=int(OFF))

    def _leave_out(self, state: _State, pause: float) -> None:
        state.failed.clear()
        state.since = self._clock()
        state.out, state.on_trial = True, False
        state.pause, state.until = pause, self._clock() + pause

    def probed(self, each: List, found: bool) -> None:
        """Note whether the probe, which no list may list (RFC 5782 section 5), was ``found``."""
        state = self._of(each)
        if found is state.lists_everybody:
            return
        state.lists_everybody = found
        if found:
            log("list-not-believed", list=each.shown, reason=f"it lists {each.probed}")
        else:
            log("list-believed", list=each.shown)

    def believed(self, each: List) -> bool:
        """Return whether to believe the list: it does not list its probe."""
        return not self._of(each).lists_everybody
