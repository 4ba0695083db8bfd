"""filter-metrics on smtpd 6.8, which Debian 12 has: it reports both directions, too."""

import pytest

from integration.support.metrics_server import LINE, make_folders, told
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL, OUTSIDE
from lab.shows.guide import Guide
from lab.support import Lab, Setup

CONF = f"""\
table domains file:/etc/mail/domains
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
{LINE}
listen on {SERVER4} port 25 filter {{ "metrics", "dkimsign" }} hostname example.com
action "outbound" relay filter "metrics"
match from any for any action "outbound"
"""


def prepare(guide: Guide) -> None:
    make_folders(guide.view)
    (guide.view / "etc/mail/smtpd.conf").write_text(CONF)


@pytest.mark.parametrize("running", [Setup("6.8", "metrics", prepare)], indirect=True, ids=str)
def test_a_mail_that_is_relayed(lab: Lab) -> None:
    with mail.connect(CONFIRMED_PTR) as client:
        message = mail.compose(LOCAL, OUTSIDE, "relayed")
        assert mail.send(client, LOCAL, OUTSIDE, message)[0] == 250
    lab.sink.take(30)
    wanted = {
        ("opensmtpd_messages_total", "in", "commit"): 1,
        ("opensmtpd_messages_total", "out", "commit"): 1,
        ("opensmtpd_commands_total", "out", "rcpt", "ok"): 1,
        ("opensmtpd_plugin_signatures_total", "filter-dkimsign"): 1,
        ("opensmtpd_plugin_decisions_total", "filter-dkimsign", "commit", "proceed"): 1,
    }
    told(lab.guide.view, lambda found: {each: found.get(each) for each in wanted} == wanted)
