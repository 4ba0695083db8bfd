"""Messages that nobody has seen before, to be signed and verified."""

from random import Random

NAMES = [b"From", b"To", b"Subject", b"X-A", b"X-B", b"Reply-To", b"List-Id", b"Cc", b"x-a"]
BLANKS = [b" ", b" ", b" ", b"  ", b"\t", b" \t "]
WORDS = [b"a", b"bc", b"Hello", b"=20", b"x" * 60, "käse".encode(), b"\xff\xfe", b"(c)", b"<a@b.c>"]


def text(dice: Random, least: int, most: int) -> bytes:
    """Return words with white space of all kinds between them, and sometimes behind."""
    words = [dice.choice(WORDS) + dice.choice(BLANKS) for _ in range(dice.randint(least, most))]
    end = dice.choice(BLANKS) if dice.random() < 0.3 else b""
    return b"".join(words).rstrip(b" \t") + end


def field(dice: Random, name: bytes) -> bytes:
    """Return a field, folded now and then, with its line end."""
    if dice.random() < 0.3:
        name = dice.choice((name.upper(), name.lower()))
    value = b"alice@example.com" if name.lower() == b"from" else text(dice, 1, 6)
    for _ in range(dice.randint(0, 2)):
        value += b"\r\n" + dice.choice((b" ", b"\t", b"  ")) + text(dice, 1, 4)
    return name + b":" + dice.choice((b" ", b" ", b"", b"\t", b"  ")) + value + b"\r\n"


def header(dice: Random) -> list[bytes]:
    """Return the fields of a header, From among them."""
    names = [b"From", *dice.choices(NAMES[1:], k=dice.randint(1, 7))]
    dice.shuffle(names)
    return [field(dice, name) for name in names]


def body(dice: Random) -> bytes:
    """Return a body; each line of it has its end."""
    lines = [
        dice.choice((b"", b" ", b" \t", b".", b"..dots"))
        if dice.random() < 0.3
        else text(dice, 0, 9)
        for _ in range(dice.choice((0, 1, 2, 5, 9, 30)))
    ]
    lines += [b""] * dice.choice((0, 0, 1, 3))
    return b"".join([line + b"\r\n" for line in lines])


def changed(dice: Random, part: bytes) -> bytes | None:
    """Return a part with one byte changed to another that is no white space; None without any."""
    places = [at for at, byte in enumerate(part) if bytes([byte]) not in b" \t\r\n"]
    if not places:
        return None
    at = dice.choice(places)
    other = b"z" if part[at : at + 1] != b"z" else b"y"
    return part[:at] + other + part[at + 1 :]
