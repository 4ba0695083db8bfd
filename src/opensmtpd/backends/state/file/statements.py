"""The statements of steps: each is one upsert, whose SET sees the row as it was before.

The columns of a row mean: of a count, ``a`` is the number; of a rate, ``a`` is the time until which
units are taken, and ``c`` what it was before the step; of a triplet, ``a`` is its first attempt,
``b`` whether it has passed, ``c`` the attempt; of bytes, ``b`` is when they were put. Times are in
microseconds since 1970. A row that has expired is as good as none.
"""

COUNT = """
INSERT INTO steps VALUES (:key, :by, 0, 0, :now + :window, NULL)
ON CONFLICT (key) DO UPDATE SET
  a = CASE WHEN expires <= :now THEN :by ELSE min(a + :by, :most) END,
  expires = CASE WHEN expires <= :now THEN :now + :window ELSE min(expires, :now + :window) END
RETURNING a
"""
READ_COUNT = "SELECT a FROM steps WHERE key = :key AND expires > :now"

_BASE = "max(min(a, :top), :now)"
_AFTER = f"CASE WHEN {_BASE} + :step <= :top THEN {_BASE} + :step ELSE {_BASE} END"
ALLOW = f"""
INSERT INTO steps VALUES (:key, :now + :step, 0, :now, :now + :step, NULL)
ON CONFLICT (key) DO UPDATE SET c = {_BASE}, a = {_AFTER}, expires = {_AFTER}
RETURNING c
"""

GREYLIST = """
INSERT INTO steps VALUES (:key, :now, 0, 0, :now + :window, NULL)
ON CONFLICT (key) DO UPDATE SET
  c = CASE WHEN expires <= :now THEN 0 WHEN b THEN 3 WHEN :now - a < :delay THEN 1 ELSE 2 END,
  b = CASE WHEN expires <= :now THEN 0 WHEN b THEN 1 ELSE :now - a >= :delay END,
  a = CASE WHEN expires <= :now THEN :now ELSE min(a, :now) END,
  expires = CASE
    WHEN expires <= :now THEN :now + :window
    WHEN b OR :now - a >= :delay THEN :now + :keep
    ELSE min(expires, min(a, :now) + :window)
  END
RETURNING c, a
"""

GET = "SELECT value, expires FROM steps WHERE key = :key AND expires > :now AND b <= :now"
PUT = """
INSERT INTO steps VALUES (:key, 0, :now, 0, :now + :seconds, :value)
ON CONFLICT (key) DO UPDATE SET b = :now, expires = :now + :seconds, value = :value
"""
FORGET = "DELETE FROM steps WHERE key IN (?, ?, ?, ?)"

DROP_EXPIRED = """
DELETE FROM steps WHERE key IN (
  SELECT key FROM steps WHERE expires <= ? ORDER BY expires LIMIT ?
)
"""
DROP_FIRST = "DELETE FROM steps WHERE key IN (SELECT key FROM steps ORDER BY expires LIMIT ?)"
