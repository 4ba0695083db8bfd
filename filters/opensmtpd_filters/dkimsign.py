"""filter-dkimsign: sign outgoing mail with DKIM (RFC 6376, RFC 8301, RFC 8463).

In smtpd.conf::

    filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
        -k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
    listen on socket filter "dkimsign"

It takes the flags of the C filter-dkimsign and makes the same signatures. filter-dkimsign(8)
describes them, the additions, and the differences between the two. With -A and -S it writes the
signature and the seal of an ARC set (RFC 8617) behind filter-auth, which writes the results.

This process reads messages and writes the fields; the private keys are in worker processes, which
are given digests and return signatures.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from opensmtpd import options, run, worker
from opensmtpd.answer import Answer, Deferred, Offload
from opensmtpd.errors import ConfigError, Refused, Unsignable
from opensmtpd.filter import Filter, Front, HeldMessage, Reject, Session
from opensmtpd.log import log
from opensmtpd.mail.arc.options import kind
from opensmtpd.mail.dkim.keys.keyring import Identity, Keyring
from opensmtpd.mail.dkim.sign import options as sign_options
from opensmtpd.mail.dkim.sign import style
from opensmtpd.mail.dkim.sign.signer import Prepared, Signer, Signing
from opensmtpd.mail.dkim.sign.smtpd_changes import is_submission
from opensmtpd.mail.dkim.sign.strangers import STRANGERS_MAX
from opensmtpd.needs import Needs

EPILOG = """\
In smtpd.conf, for one domain:

  filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \\
      -k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
  listen on socket filter "dkimsign"

The key, and the TXT record of mail._domainkey.example.com that verifiers look up:

  openssl genrsa -out /etc/mail/dkim/private.key 2048
  openssl rsa -in /etc/mail/dkim/private.key -pubout -outform DER | openssl base64 -A
  "v=DKIM1; k=rsa; p=...what the line above printed..."

For many domains, or for RSA and Ed25519 side by side, a key table (-f), a line for each key:

  example.com  mail    /etc/mail/dkim/example.com.key
  example.com  mail-ed /etc/mail/dkim/example.com.ed25519.key

SIGHUP has it read keys, key table and domain files anew.
"""

SIGNING_WORKER = "opensmtpd.mail.dkim.keys.signing_worker:SigningWorker"
SIGN_WITHIN = 5.0
"""Seconds until a worker that does not sign is replaced, and its message refused."""
READ_WITHIN = 86400.0
"""Seconds that a reload waits for a worker that reads the keys: on a dead mount, open(2) hangs.

A thread waits for it, and no reload begins where too many threads hang already.
"""

STRANGER = "name this domain, too (-d, or a line of the key table), or leave it unsigned (-u skip)"


class DkimSign(Filter):
    """Signs each message of a domain for which it has a key."""

    needs = Needs()

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags, files and keys that cannot be used."""
        self.flags = flags
        self.uses = ("destination",) if flags.add_missing else ()
        self.setup = sign_options.key_setup(flags)
        self.pool = worker.Pool(
            SIGNING_WORKER,
            self.setup,
            count=2 if (os.cpu_count() or 1) > 1 else 1,
            deadline=min(SIGN_WITHIN, flags.deadline),
        )
        self.signer = make_signer(flags, self.pool.loaded)

    def stop(self) -> None:
        """End the workers."""
        self.pool.close()

    def reload(self) -> Offload[Callable[[], None]]:
        """Have a copy of the workers read keys and files again, and a thread wait for it."""
        return Offload(partial(self.read_again, self.pool.copy()))

    def read_again(self, loading: worker.Loading) -> Callable[[], None]:
        """Return what puts the new keys in the place of the old. Raises ConfigError."""
        try:
            signer = make_signer(self.flags, loading.load(self.setup, READ_WITHIN))
        except ConfigError:
            loading.close()
            raise

        def swap() -> None:
            self.pool.use(loading)
            self.signer = signer

        return swap

    def on_message(self, session: Session) -> HeldMessage:
        """Return a message that is signed when it is complete."""
        add = self.flags.add_missing and is_submission(session.destination)
        return Message(Signing(self.signer, add), session.id, self)


class Message(HeldMessage):
    """A message that is held until it is signed."""

    def __init__(self, signing: Signing, session: str, filter: DkimSign) -> None:
        self.signing = signing
        self.session = session
        self.flags = filter.flags
        self.pool = filter.pool
        self.log_name = signing.signer.log_name

    def header(self, lines: list[bytes]) -> None:
        """Give a run of header lines to the signer."""
        self.signing.header(lines)

    def body(self, lines: list[bytes]) -> None:
        """Give a run of body lines to the signer."""
        self.signing.body(lines)

    def end(self) -> Answer[Front]:
        """Return the lines in front; a thread prepares what would keep others waiting."""
        if self.signing.large:
            return Offload(self.prepare).then(self.sign)
        return self.sign(self.prepare())

    def prepare(self) -> Prepared | None:
        """Return everything but the signatures, None for a message that goes out unsigned.

        Raises Refused for a message that must not leave without a signature.
        """
        try:
            prepared = self.signing.prepare()
        except Unsignable as error:
            log(f"{self.log_name}-unsigned", self.session, reason=error, domain=error.domain)
            if self.flags.unsigned == "refuse":
                raise Refused(Reject(550, f"5.7.20 Cannot be signed with DKIM: {error}")) from None
            return None
        for reason in dict.fromkeys(prepared.left_out.values()):
            names = [name for name, why in prepared.left_out.items() if why == reason]
            log(f"{self.log_name}-not-covered", self.session, fields=",".join(names), reason=reason)
        self.tell_stranger(prepared)
        return prepared

    def tell_stranger(self, prepared: Prepared) -> None:
        """Log that the first domain signs for an author without a key, once for each domain."""
        (first, *_), stranger = prepared.signatories
        if stranger is None:
            return
        signs, domain = first.domain, stranger.domain
        if domain is None:
            log("dkim-unmatched", self.session, reason=stranger, signs=signs)
            return
        strangers = self.signing.signer.strangers
        if not strangers.is_new(domain):
            return
        log("dkim-unmatched", self.session, reason=stranger, domain=domain, signs=signs,
            remedy=STRANGER)  # fmt: skip
        if strangers.full:
            log("dkim-unmatched", reason=f"{STRANGERS_MAX} domains have no key; no more are named")

    def sign(self, prepared: Prepared | None) -> Front | Deferred[Front]:
        """Have a worker sign, and return the lines to put in front of the message."""
        if prepared is None:
            return []
        return self.pool.ask(prepared.request).then(partial(self.signed, prepared))

    def signed(self, prepared: Prepared, signatures: list[bytes]) -> Front:
        """Return the lines in front. Raises LocalError for what are no signatures."""
        lines = prepared.lines(signatures)
        if self.flags.log_signed:
            for one in prepared.signatories.identities:
                log(
                    f"{self.log_name}-signed",
                    self.session,
                    domain=one.domain,
                    selector=one.selector,
                )
        return lines


def make_signer(flags: argparse.Namespace, loaded: list[Any]) -> Signer:
    """Return the signer that the flags describe, with what a SigningWorker has loaded.

    Raises ConfigError.
    """
    identities, warnings = loaded
    wanted = kind(flags)
    name = wanted.signer.log_name
    if "bcc" in (flags.headers or "").lower().split(":"):
        log(f"{name}-not-covered", fields="bcc", reason="smtpd drops this field after its filters")
    chosen = None if flags.headers is None else style.field_names(flags.headers)
    oversigned = style.oversigned(chosen) if flags.oversign else ()
    if flags.oversign and chosen and len(oversigned) < len(chosen):
        left = ",".join([each.decode("ascii") for each in chosen if each not in oversigned])
        log(f"{name}-not-oversigned", fields=left, reason="mail systems add these fields")
    header, body = style.canonicalization(flags.canonicalization or wanted.canonicalization)
    how = style.Style(
        header=header,
        body=body,
        names=chosen or style.field_names(wanted.names),
        oversigned=oversigned,
        timestamp=flags.timestamp,
        lifetime=flags.expire,
        copies=flags.copy_headers,
        unmatched=flags.unmatched,
    )
    for warning in warnings:  # at the end: an error is the only line
        log("dkim-key-warning", reason=warning)
    return wanted.signer(Keyring(Identity(*each) for each in identities), how)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser("filter-dkimsign", "Sign outgoing mail with DKIM.", EPILOG)
    sign_options.add(flags)
    return flags


def main() -> None:
    """Run filter-dkimsign."""
    run.filter(DkimSign, parser())


if __name__ == "__main__":
    main()
