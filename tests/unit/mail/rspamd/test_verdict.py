from opensmtpd.mail.rspamd.reply import verdict
from opensmtpd.mail.rspamd.verdict import RspamdVerdict
from opensmtpd.worker.frames import pack, whole

ANSWER = b"""{"action": "add header", "score": 6.1, "required_score": 15, "subject": "s\xff",
"dkim-signature": ["a=1"], "symbols": {"ONE": {"score": 1.5}}, "messages": {"smtp_message": "no"},
"milter": {"remove_headers": {"X": 0}, "add_headers": {"Y": "1", "Z": {"value": "2", "order": 1}},
"no_action": true, "reject": "quarantine", "add_rcpt": ["x@example.com"]}}"""


def test_a_verdict_is_plain_data() -> None:
    """It is the same when a worker has sent it."""
    said = RspamdVerdict(
        action="add header",
        score=6.1,
        required=15.0,
        reply="no",
        subject=b"s\xff",
        signatures=[b"a=1"],
        symbols=[[b"ONE", 1.5]],
        removed=[[b"X", 0]],
        added=[[b"Y", b"1", None], [b"Z", b"2", 1]],
        left_out=[],
        spam=[[b"X-Spam", b"yes"]],
        harmless=True,
        quarantine=False,
        impossible=["add_rcpt"],
    )
    assert verdict(ANSWER) == said
    assert RspamdVerdict(*whole(pack(verdict(ANSWER)))) == said
