"""spamass-milter, and the spamd that it asks: both know one rule, GTUBE."""

from lab.peers.milters.server import MilterServer

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
PLUGINS = ("Check", "BodyEval", "HeaderEval", "MIMEEval")
RULES = r"""
body GTUBE /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\*C\.34X/
describe GTUBE A test of what becomes of spam
score GTUBE 1000
required_score 5
report_safe 1
rewrite_header Subject [SPAM]
use_bayes 0
util_rb_tld com net org example
clear_report_template
report Found to be spam at the lab: _SCORE_ points.
clear_unsafe_report_template
clear_headers
add_header all Status _YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTS_
add_header spam Flag YES
"""
BOTH = """\
setpriv --reuid=debian-spamd --regid=debian-spamd --clear-groups -- setpriv --pdeathsig KILL -- \
    spamd --local --nouser-config --max-children=2 --syslog=stderr \
    --configpath=/etc/lab-spam/rules --siteconfigpath=/etc/lab-spam/site --socketpath=/tmp/spamd &
until spamc -U /tmp/spamd -K >/dev/null; do sleep 0.05; done
umask 000
exec setpriv --reuid=spamass-milter --regid=spamass-milter --clear-groups -- \
    spamass-milter -p {place} -- -U /tmp/spamd
"""


class SpamassServer(MilterServer):
    """Unix socket in /run/spamass."""

    name, user = "spamass", "spamass-milter"
    port = tls_port = 783
    folder, socket_name = "/run/spamass", "spamass.sock"

    def _configure(self) -> None:
        self.run("mkdir", "-p", "/etc/lab-spam/rules", "/etc/lab-spam/site")
        (self.view / "etc/lab-spam/rules/lab.cf").write_text(RULES)
        loaded = "".join(f"loadplugin Mail::SpamAssassin::Plugin::{name}\n" for name in PLUGINS)
        (self.view / "etc/lab-spam/rules/lab.pre").write_text(loaded)

    def _command(self) -> list[str]:
        return ["sh", "-c", BOTH.format(place=f"{self.folder}/{self.socket_name}")]
