"""Rows of tables of the kinds that smtpd matches, odd ones above all, and keys to ask for."""

_OCTETS = [
    *("0", "00", "1", "01", "001", "010", "7", "007", "08", "100", "0100", "198", "255", "256"),
]

NETADDR = [
    "198.051.100.007", "198.51.100.7", "0198.51.100.7", "198.51.100.07", "198.51.100.007/32",
    "198.051.100.000/24", "198.51.100.7/24", "198.51.100.7/0", "198.51.100/24", "198.51.100",
    "198.51/16", "198.51", "198/8", "198", "0/0", "10", "10/8", "010/8", "10.0/8", "010.0.0.1",
    "10.0.0.1", "10.0.0.01", "0010.0.0.1", "8.0.0.1", "10.0.0.1/08", "10.0.0.1/032", "10.0.0.1/33",
    "10.0.0.1/", "10.0.0.1/ 8", "10.0.0.1/+8", "10.0.0.0/8/8", "10.0.0.1.", "10.0.0.", "10..0.1",
    ".10.0.0.1", "10.0.0.1.0", "10.0.0.256", "0x0a000001", "0X0A000001", "0x0a/8", "0xa", "0x0a0",
    "0x0a00000100", "0x", "0xc6336407", "IPv6:10.0.0.1", "ipv6:10.0.0.0/8", "[10.0.0.1]",
    "::ffff:10.0.0.1", "[::ffff:10.0.0.1]", "::ffff:0:0/96", "::ffff:198.051.100.007", "172.16",
    "172.16.0.0/12", "192.0", "192.0.2", "192.0.2.77/24", "192.0.2.128/25", "224.0.0.1", "224",
    "240.0.0.1", "240", "2001:db8::1", "[2001:db8::1]", "2001:DB8::1", "[2001:DB8:0::1]",
    "2001:0db8:0000:0000:0000:0000:0000:0001", "[2001:0DB8:0:0:0:0:0:1]", "2001:db8:0:0::1",
    "IPv6:2001:db8::1", "[IPv6:2001:db8::1]", "ipv6:[2001:db8::1]", "IPv6:[IPv6:2001:db8::1]",
    "IPv6:IPv6:2001:db8::1", "2001:db8::1/128", "[2001:db8::1/128]", "[2001:db8::1]/128",
    "2001:db8::/32", "[2001:db8::/32]", "[2001:db8::]/32", "2001:db8::7/31", "2001:db8::ff/33",
    "2001:db8::1/+32", "2001:db8::1/ 32", "2001:db8::1/032", "2001:db8::1/129", "2001:db8::1/-1",
    "2001:db8::1/0", "::/0", "[::/0]", "0::0/0", "64:ff9b::192.0.2.1", "[64:ff9b::192.0.2.1]",
    "64:ff9b::c000:201", "64:ff9b::192.000.002.001", "64:FF9B::C000:0201", "64:ff9b::192.0.2.0/120",
    "2001:db8:255:255:255:255:255.255.255.255", "2001:db8::1%lo", "2001:db8::1]", "2001:db8::1::",
    ":::", "2001:db8::g", "local", "LOCAL", "localhost", "any",
    *(f"{one}.0.0.{two}" for one in ("10", "010", "198") for two in _OCTETS),
    *(f"198.51.100.7/{bits}" for bits in (1, 7, 8, 9, 15, 16, 17, 23, 25, 31)),
    *(f"2001:db8:8000::/{bits}" for bits in (1, 7, 16, 31, 33, 34, 47, 48, 64, 127)),
]  # fmt: skip
ADDRESSES = [
    "198.51.100.7", "198.51.100.8", "198.51.0.1", "198.0.0.0", "198.0.0.7", "10.0.0.1", "10.9.8.7",
    "8.0.0.1", "10.0.0.0", "10.0.0.100", "10.0.0.255", "192.0.2.1", "192.0.2.200", "172.16.3.4",
    "240.0.0.1", "2001:db8::1", "2001:db8::2", "2001:db8:ffff::1", "2001:db9::1",
    "64:ff9b::c000:201", "64:ff9b::c000:2ff", "2001:db8:255:255:255:255:ffff:ffff",
    "2001:db8:8000::1",
]  # fmt: skip

ONLY_THERE = [
    r"^\d+@", r"^\e", r"(a)\1", r"^\`a", r"@.*g\'", "^(a{1,40}){1,40}@",
]  # fmt: skip
"""Regular expressions that match something in smtpd and are refused here: see table-flat(5)."""
REGEX = [
    "spam", "^spam", "spam$", "@example.org$", r"@example\.org$",
    r"^([a-z0-9]+[-.]?)+@example\.org$", "^a.c@", "a|b@", "^(a|b)@", "(ab|cd)+@", "(|a)b@",
    "^a||b$", "()", "^()*a", "(^a)", "(a$|b$)", "^a*@", "^a+@", "^a?b@", "^a{2}@", "^a{2,}@",
    "^a{,2}@", "^a{0}b@", "^a{1,3}b", "^a{2}{2}@", "^(ab){2}@", "^a**@", "^a*?@", "^a+?@", "^a*+a@",
    "^[abc]@", "^[^abc]@", "^[]a]@", "^[a-c]+@", "^[[:alpha:]]+@", "^[[:digit:]]+@",
    "^[[:alnum:]._-]+@", "^[[:upper:]]", "^[[:space:]]", "[[=a=]]b@", "^[[.a.]-[.c.]]+@",
    "[[:foo:]]", "[z-a]", "[a--]", "^[+--]@", r"^[\d]@", r"^[\]", "^[a-]@", "^[-a]@", "SPAM",
    "(?i)spam", "(?I)SPAM", "(?i)", "(?i)[A-Z]{4}@", "a(?i)b", "(?:a)", "(?=a)", "*a", "^*a",
    "a|*b", "(*a)", "+", "?", "{1}", "a{", "a{}", "a{x}", "a{1", "a{2,1}", "a{32768}", "(a", "a)",
    ")", "a)@", "a]", "a}", r"a\\b", r"\.", r"\*", r"\+", r"a\+b@", r"\@", r"\-", r"\_", r"^\w+@",
    r"\W@", r"^\w\W\w@", r"\<b", r"b\>", r"\bb\b", r"\Bb\B", r"^\B", r"\s", r"\S@", r"\<*a", r"\(",
    r"\)", r"\[", r"\{", r"\|", r"\^", r"\$", r"\/", "$", "^", "^$", "a^b", "a$b", "^^a", "@$",
    "example.org$$", ".", "..", "^.{6}$", "^.{13}$", "^.+@.+$", "^[a-z]{1,64}@", "^[a-z.]{5,}@",
    "(a|b)*a(a|b){3}@", "^(a|aa)+@", "^(a*)*@", "^(a*)+b@", "((((((((((a))))))))))@", "^(a|b|)@",
    "x*", "^x*@", "[é]", "[^é]@", "a#b", "a b", "a:b", "a=b@", "a'b", 'a"b', "^[^@]+@[^@]+$",
    "^.*[0-9]{2}", "org|net|com$", r"\.(org|net)$", r"@(.*\.)?example\.org$",
    r"^(([a-z]+)(\.[a-z]+)*)@", "^a{1,2}b{1,2}c{0,1}@",
    *ONLY_THERE,
]  # fmt: skip
SENDERS = [
    "a@example.org", "b@example.org", "ab@example.org", "abab@example.org", "abc@example.org",
    "aa@example.org", "aaa@example.org", "aaaa@example.org", "aab@example.org", "spam@example.net",
    "SPAM@Example.ORG", "nospam@spam.example", "12@example.org", "a1@example.org",
    "a.b@example.org", "a-b@example.org", "a+b@example.org", "-@example.org", "+@example.org",
    "_a@example.com", "c@a.org", "a=b@example.org", "a'b@example.org", "a^b@example.org",
    "a*@example.org", "d@mail.example.org", "aabbc@example.org",
]  # fmt: skip

MAILADDR = [
    "a@example.org", "A@EXAMPLE.ORG", "@example.org", "a@", "a", "@", "example.org",
    "*@example.org", "@*.example.org", "a@*.example.org", "@*", "a@*", "a+b@example.org",
    "a+@example.org", "a+b", "a+b@", "@@example.org", "a@@example.org", "@example.*", "@*.*",
    "@mail*", "@*.org", "+b", "@.example.org", "@example.org.", "b", "spam", "@example", "-@", "+@",
    "+", "a*@example.org",
]  # fmt: skip

DOMAIN = [
    "example.org", "EXAMPLE.org", "mail.example.org", "*.example.org", "*.*.example.org", "*",
    "*.*", "**", "**.example.org", "*.*.*", "mail*.example.org", "*mail.example.org",
    "m*l.example.org", "*.org", "*org", "example.*", "mail.*.org", "*.example.*",
    "*.m*.example.org", "example.org.", ".example.org", "*.example.org.", "example", "*-*",
    "*1*", "*.*.*.*.org",
    "*a*", "mail.*", "a.*.example.org", "*.b.example.org", "?.example.org",
    "10.0.0.1", "[10.0.0.1]", "localhost",
]  # fmt: skip
HELOS = [
    "example.org", "mail.example.org", "a.b.example.org", "Mail1.Example.ORG", "example.com", "org",
    "mail.example.com", "m-l.example.org", "mail.mail.example.org", "a.b.c.d.org", "localhost",
    "mail-1.example.org", "xmail.example.org", "[10.0.0.1]",
]  # fmt: skip

ROWS = {"netaddr": NETADDR, "regex": REGEX, "mailaddr": MAILADDR, "domain": DOMAIN}
