"""The statements of steps: each is one upsert, whose SET sees the row as it was before.

The columns of a row mean: of a count, ``a`` is the number, ``b`` when it began; of a rate, ``a`` is
the time until which units are taken, ``b`` the greatest patience with which some were, and ``c``
what ``a`` was before the step; of a triplet, ``a`` is its first attempt, ``b`` its last one since
it has passed, or 0, ``c`` the attempt; of bytes, ``b`` is when they were put; of what becomes
white, ``a`` is the number, ``b`` when it was last counted or seen white. Times are in microseconds
since 1970.

A row that has expired is as good as none. So is one whose time ``b`` is still to come: the clock
was set back since, and the row would outlive its time by as much. And so is one that has anything
but times and numbers in these columns, which only a damaged file has: SQLite does not mind, and
what would come of it is no reply.
"""

from opensmtpd.backends.state import steps

_SOUND = (
    "typeof(a) || typeof(b) || typeof(expires) = 'integerintegerinteger'"
    f" AND min(a, b, expires) >= 0 AND max(a, b, expires) <= {steps.EXACT}"
)
_ALIVE = f"(expires > :now AND b <= :now AND {_SOUND})"

COUNT = f"""
INSERT INTO steps VALUES (:key, :by, :now, 0, :now + :window, NULL)
ON CONFLICT (key) DO UPDATE SET
  a = CASE WHEN {_ALIVE} THEN min(a + :by, :most) ELSE :by END,
  b = CASE WHEN {_ALIVE} THEN b ELSE :now END,
  expires = CASE WHEN {_ALIVE} THEN min(expires, :now + :window) ELSE :now + :window END
RETURNING a
"""
READ_COUNT = f"SELECT a FROM steps WHERE key = :key AND {_ALIVE}"

# What is further away than anybody can have put it is of a clock that was ahead. The patience of
# this step alone does not tell: others may be in line who have more of it.
_BASE = f"""
CASE WHEN {_SOUND} THEN max(min(a, :now + :limit + max(b, :wait)), :now) ELSE :now END
"""
_TAKEN = f"({_BASE}) + :step <= :now + :limit + :wait"
_AFTER = f"CASE WHEN {_TAKEN} THEN ({_BASE}) + :step ELSE {_BASE} END"
ALLOW = f"""
INSERT INTO steps VALUES (:key, :now + :step, :wait, :now, :now + :step, NULL)
ON CONFLICT (key) DO UPDATE SET
  c = {_BASE},
  b = CASE WHEN NOT {_TAKEN} THEN b WHEN {_ALIVE} THEN max(b, :wait) ELSE :wait END,
  a = {_AFTER},
  expires = {_AFTER}
RETURNING c
"""

GREYLIST = f"""
INSERT INTO steps VALUES (:key, :now, 0, 0, :now + :window, NULL)
ON CONFLICT (key) DO UPDATE SET
  c = CASE WHEN NOT {_ALIVE} THEN 0 WHEN b THEN 3 WHEN :now - a < :delay THEN 1 ELSE 2 END,
  b = CASE WHEN {_ALIVE} AND (b OR :now - a >= :delay) THEN :now ELSE 0 END,
  a = CASE WHEN {_ALIVE} THEN min(a, :now) ELSE :now END,
  expires = CASE
    WHEN NOT {_ALIVE} THEN :now + :window
    WHEN b OR :now - a >= :delay THEN :now + :keep
    ELSE min(expires, min(a, :now) + :window)
  END
RETURNING c, a
"""

GET = f"""
SELECT value, b, expires FROM steps WHERE key = :key AND {_SOUND} AND typeof(value) = 'blob'
"""
PUT = """
INSERT INTO steps VALUES (:key, 0, :now, 0, :now + :seconds, :value)
ON CONFLICT (key) DO UPDATE SET a = 0, b = :now, expires = :now + :seconds, value = :value
"""

WHITE = f"""
INSERT INTO steps VALUES (:key, :by, :now, 0, :now + :keep, NULL)
ON CONFLICT (key) DO UPDATE SET
  a = CASE WHEN {_ALIVE} THEN min(max(:by, a + (:now - b >= :again)), :most) ELSE :by END,
  b = CASE
    WHEN {_ALIVE} AND :by <= a AND a < :enough AND :now - b < :again THEN b
    ELSE :now
  END,
  expires = :now + :keep
RETURNING a >= :enough
"""
READ_WHITE = f"""
UPDATE steps SET b = :now, expires = :now + :keep
WHERE key = :key AND a >= :enough AND {_ALIVE}
RETURNING 1
"""

FORGET = "DELETE FROM steps WHERE key IN (?, ?, ?, ?, ?)"

DROP_EXPIRED = """
DELETE FROM steps WHERE key IN (
  SELECT key FROM steps WHERE expires <= ? ORDER BY expires LIMIT ?
)
"""
DROP_FIRST = "DELETE FROM steps WHERE key IN (SELECT key FROM steps ORDER BY expires LIMIT ?)"
