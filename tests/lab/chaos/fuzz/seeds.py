"""Inputs to begin with: what each target reads on a good day."""

_AT = b"|0.7|1576146008.006099|smtp-in|"
_SESSION = b"7641df9771b4ed00|1ef1c203cc576e5d"
_OFFER = b"|O\0\0\0\6\0\0\1\xff\0\0\0\0"
_ENVELOPE = b"|c|c|c|c"

SEEDS: dict[str, tuple[bytes, ...]] = {
    "filter_wire": (
        b"\x05report" + _AT + b"link-connect|7641df9771b4ed00|a.example|pass|192.0.2.5:1|[::1]:25\n"
        b"filter" + _AT + b"helo|" + _SESSION + b"|a.example\n",
        b"\x05filter" + _AT + b"data-line|" + _SESSION + b"|From: a\n"
        b"filter" + _AT + b"data-line|" + _SESSION + b"|.\n"
        b"filter" + _AT + b"commit|" + _SESSION + b"|\n",
        b"\x02report" + _AT + b"tx-mail|7641df9771b4ed00|29|ok|a@example.com\n"
        b"report" + _AT + b"link-disconnect|7641df9771b4ed00\n",
    ),
    "table_wire": (
        b"\x05table|0.1|1.0|t|lookup|alias|1a|alice\ntable|0.1|1.0|t|check|domain|1b|x\n",
        b"\x05table|0.1|1.0|t|fetch|source|1c\ntable|0.1|1.0|t|update|1d\n",
    ),
    "header": (b'From: "A, b" <a@example.com> (c)\n\tfolded\nTo: x@y\nnot a field\n',),
    "canonicalization": (b"a  b \t\n\n c\t\n\n\n", b"\n\n", b""),
    "signatures": (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=ed;\n"
        b"\ti=@example.com; q=dns/txt; t=1; x=9; l=3; h=from : to; z=From:a|To:b;\n"
        b"\tbh=jkYhN5eG70Kk/sFVzVJcKR3X2zwf3jR4Ui9PYcA/0b0=; b=AAAA\nFrom: a@example.com\n\n"
        b"v=DKIM1; k=ed25519; h=sha256; s=email; t=y:s; n=;\n"
        b" p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\na\nb",
    ),
    "chains": (
        b"ARC-Message-Signature: i=2; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=ed;\n"
        b"\th=from; bh=jkYhN5eG70Kk/sFVzVJcKR3X2zwf3jR4Ui9PYcA/0b0=; b=AAAA\n"
        b'ARC-Authentication-Results: i=2; mx.example; dkim=fail reason="a" (b); arc=pass\n'
        b"Received: x\nARC-Seal: i=1; cv=none; a=ed25519-sha256; d=example.com; s=ed; b=AAAA\n"
        b"ARC-Message-Signature: i=1; a=ed25519-sha256; c=relaxed; d=example.com; s=ed;\n"
        b"\th=from; bh=jkYhN5eG70Kk/sFVzVJcKR3X2zwf3jR4Ui9PYcA/0b0=; b=AAAA\n"
        b"ARC-Authentication-Results: i=1; a.example; none\nFrom: a@example.com\n\n"
        b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\na\nb",
    ),
    "header_rules": (
        b'reject Subject /buy|sell/ "554 5.7.1 no"\njunk From *@spam.example*\nremove X-*-Id a?c\n'
        b'replace Subject * "x y"\nadd X-A "b \\"c\\"" # why\nprivacy\n\n'
        b"Subject: =?utf-8?q?b=C3=BCy?= =?koi8-r?b?y9XQydTY?=\nFrom: a@spam.example\n folded\n"
        b"X-a-Id: abc\nReceived: from c\n\tby d\nUser-Agent: x\n",
        b'junk * /^(a|b)*[[:alpha:]]{2,30}\\.$/\nreject * "" 421\n\nA:\nB: =?utf-8?q?\xff?=\n',
    ),
    "milter_replies": (
        _OFFER + b"|c|c" + _ENVELOPE + b"|c|c|c|c|c|hX-A\0 a\n\tb\0|i\0\0\0\1X-B\0 c\0"
        b"|m\0\0\0\1Subject\0\0|m\0\0\0\1A\0 d\0|bnew\r\n|bline|qwhy\0|p|c"
        + _ENVELOPE
        + b"|c|s|c|p|s|+<d@example.org>\0|e<>\0SIZE=1\0|-<b@example.net>\0|a",
        _OFFER + b"|c|c|c|y550 5.7.1 no\0|c|d" + _ENVELOPE + b"|c|c|y451-4.7.1 a\r\n451 b%%\0",
        b"|O\0\0\0\2\0\0\0\x3f\0\0\0\x7b|y421 4.7.0 bye\0|a|4",
        b"\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xff\x7f" + 3 * b"\0\0\0\1c",
        b"|O\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff\0\0\0\5i {auth_type}\0"
        b"|hX-A\0b\0|b\0\n.\n|c|hX-A\0\0|t",
    ),
    "rspamd_answers": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 56\r\n\r\n"
        b'{"action":"no action","score":0.5,"required_score":15.0}',
        b'{"action":"add header","score":7.5,"required_score":15,"symbols":{"A":{"score":1.5}},'
        b'"dkim-signature":["v=1;\\n\\tb=x","y"],"milter":{"spam_header":{"X-Junk":"a"},'
        b'"remove_headers":{"A":0,"Subject":-1},"add_headers":{"X-A":"a\\r\\nb",'
        b'"ARC-Seal":{"order":1,"value":"i=1"},"X-B":[{"value":"c","order":-1},"d"]}}}',
        b'{"action":"reject","messages":{"smtp_message":"5.7.1 no"}}',
        b'{"action":"rewrite subject","subject":"*** \\u00fc","milter":{"no_action":true}}',
    ),
    "greylist_keys": (
        b"# postgrey\ndebian.org\n/^mail\\d+\\.telekom\\.de$/\n"
        b"/^(?:smtp\\w*|post)[0-9]+.*?-g\\.fr$/\n"
        b"192.0\n198.51.100.0/24\n2001:db8::/32\n\nmx.debian.org\nmail7.telekom.de\nsmtp_a1-g.fr",
        b"postmaster@\nalice+x@example.com\nusers.example\n/^list-.*@a\\.example$/\n@b.example\n\n"
        b"Postmaster+a@b\nalice+x+y@example.com\nlist-7@a.example\nbob@mail.users.example",
        b"\n\nprvs=0123abcdef=bob+x@a.example\nprvs=bob=0123abcdef@a\nnews-7-a.8_9@b.example\nbob",
    ),
    "keys": (b"# comment\nexample.com mail /etc/key rsa-sha256\nb.example x key\n",),
    "sqlite_configuration": (
        b"dbpath /x\nquery_alias SELECT a FROM b WHERE c=?\nbusy_timeout 1\n",
    ),
    "table_file": (b"# @delimiter -\nalice: bob, 'c d'\nroot:\talice\n", b"# @list\n*.example\n"),
    "limit_rules": (
        b"# whose of-what how-much\nuser messages 200/1h\nuser news messages unlimited\n"
        b"user recipients 1K/1d stop 2h\nuser bytes 1M/1d stop 90d\n"
        b"network messages 60/1m burst 20 reject\n",
        b"recipient-domain messages 1/s pace\nsender @example.org bytes 10M/d burst 20M\n"
        b"address 2001:db8::/32 messages 1/30s\nsender-domain *.example.net bytes 1G/1d defer\n",
    ),
    "dns_cache": (b"\x91\x94\xa1a\xa1A\x91\xa9127.0.0.2\xcb@\x00\x00\x00\x00\x00\x00\x00",),
    "smtpd_conf": (
        b'table a file:/etc/mail/a\ntable b { x = "y", z }\nm = "q"\nfilter f proc-exec "g -h"\n'
        b"listen on lo0 port 25 tls pki p auth <a> filter { f }\naction c maildir alias <a>\n"
        b'match from any for domain <b> action "c"\n',
        b"filter g phase connect match !rdns <a> junk\nfilter h chain { f, g }\nproc p q user u\n"
        b"action d relay host x auth <a> src { 192.0.2.1 } filter { g } backup mx m\n"
        b'mta limit for domain x inet4 max-y 5\npki p cert "/c"\nmatch !auth regex a reject\n',
    ),
    "worker_frames": (b"\x03\x01\x00\x00\x00\x03\x92\x01\xc0\x01\x00\x00\x00\x01\x07",),
    "sessions": (bytes(range(256)) * 8,),
}
