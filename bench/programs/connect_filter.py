"""filter-dkimsign that also answers connect: to see what its messages do to other sessions."""

from opensmtpd import run
from opensmtpd.filter import PROCEED, Connect, PhaseDecision, Session
from opensmtpd_filters import dkimsign


class Both(dkimsign.DkimSign):
    def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
        return PROCEED


if __name__ == "__main__":
    run.filter(Both, dkimsign.parser())
