"""The steps in Lua: the server runs each as one, by its own clock.

A key holds ``A B EXPIRES`` and, for bytes, these behind a space. The numbers mean what
``file.statements`` says of its columns. What is no such text, or of another type, is as good as
none, and is written over. Keys outlive what they hold by SLACK, so that a server whose clock is set
back a little forgets nothing that began before.

Numbers are written by ``%.0f``: Lua's own form has 14 digits, and microseconds have 16.
"""

from opensmtpd.backends.redis.script import RedisScript
from opensmtpd.backends.state.steps import ALLOW, COUNT, GET, GREYLIST, NUMBER_MAX, PUT, WHITE

SLACK = 60_000
"""Milliseconds."""

TIME = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""

_BEGIN = f"""
local function number(index) return tonumber(ARGV[index]) end
local function found()
  local text = redis.pcall('GET', KEYS[1])
  if type(text) == 'string' then return text end
  return ''
end
local function row()
  local a, b, expires = string.match(found(), '^(%d+) (%d+) (%d+)$')
  return tonumber(a), tonumber(b), tonumber(expires)
end
local function alive()
  local a, b, expires = row()
  if a and b <= now and expires > now then return a, b, expires end
end
local function write(a, b, expires, rest)
  local text = string.format('%.0f %.0f %.0f', a, b, expires) .. (rest or '')
  local left = string.format('%.0f', math.max(0, math.ceil((expires - now) / 1000)) + {SLACK})
  redis.call('SET', KEYS[1], text, 'PX', left)
end
"""

_COUNT = f"""
local by, window = number(1), number(2)
local total, begin, expires = alive()
if by == 0 then return total or 0 end
if total then
  total, expires = math.min(total + by, {NUMBER_MAX}), math.min(expires, now + window)
else
  total, begin, expires = by, now, now + window
end
write(total, begin, expires)
return total
"""

_ALLOW = """
local step, limit, wait = number(1), number(2), number(3)
local latest = now + limit + wait
local before, patience, expires = row()
if not before or expires <= now then before, patience = now, 0 end
local used = math.max(now, math.min(before, now + limit + math.max(patience, wait)))
if used + step <= latest then
  write(used + step, math.max(patience, wait), used + step)
  return {1, math.max(0, used + step - limit - now)}
end
if used ~= before then write(used, patience, used) end
return {0, used + step - latest}
"""

_GREYLIST = """
local delay, window, keep = number(1), number(2), number(3)
local first, passed, expires = alive()
if not first then
  write(now, 0, now + window)
  return {0, 0}
end
local waited = now - first
first = math.min(first, now)
if passed > 0 or waited >= delay then
  write(first, now, now + keep)
  return {passed > 0 and 3 or 2, now - first}
end
write(first, 0, math.min(expires, first + window))
return {1, now - first}
"""

_GET = """
local text = found()
local put, expires, at = string.match(text, '^%d+ (%d+) (%d+) ()')
put, expires = tonumber(put), tonumber(expires)
if not put or put > now or expires <= now then return false end
return {string.sub(text, at), expires - now}
"""

_PUT = """
write(0, now, now + number(2), ' ' .. ARGV[1])
return 1
"""

_WHITE = f"""
local by, enough, again, keep = number(1), number(2), number(3), number(4)
local total, last = alive()
if by == 0 then
  if not total or total < enough then return 0 end
elseif not total then
  total, last = by, now
else
  local more = now - last >= again and 1 or 0
  if more == 1 or by > total then last = now end
  total = math.min(math.max(by, total + more), {NUMBER_MAX})
end
local white = total >= enough
write(total, white and now or last, now + keep)
return white and 1 or 0
"""

_STEPS = {
    COUNT: _COUNT,
    ALLOW: _ALLOW,
    GREYLIST: _GREYLIST,
    GET: _GET,
    PUT: _PUT,
    WHITE: _WHITE,
}


def scripts(clock: str = TIME) -> dict[int, RedisScript]:
    """Return the script of each kind of step. ``clock`` is Lua that sets ``now``."""
    return {kind: RedisScript(clock + _BEGIN + text) for kind, text in _STEPS.items()}
