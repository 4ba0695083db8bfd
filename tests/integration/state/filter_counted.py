"""Count the clients that say HELO, and log the count, with the state of several filters."""

from argparse import Namespace

from opensmtpd import options, run
from opensmtpd.answer import Deferred
from opensmtpd.backends.state import options as state_options
from opensmtpd.backends.state.results import UNKNOWN, StateUnknown
from opensmtpd.filter import PROCEED, Filter, Helo, ParameterDecision, Session
from opensmtpd.log import log


class Counted(Filter):
    def __init__(self, flags: Namespace) -> None:
        self.state = state_options.state(flags, "counted:")

    def on_helo(self, session: Session, request: Helo) -> Deferred[ParameterDecision]:
        def told(found: int | StateUnknown) -> ParameterDecision:
            log("counted", session.id, clients="unknown" if found is UNKNOWN else found)
            return PROCEED

        return self.state.count(["clients"], 86400.0).then(told)


if __name__ == "__main__":
    parser = options.filter_parser("filter-counted", __doc__)
    state_options.add(parser)
    run.filter(Counted, parser)
