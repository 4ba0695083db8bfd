-- A message says in its field X-Lab, as JSON, what shall be done with it.

local ucl = require "ucl"
local lua_mime = require "lua_mime"

local SYMBOLS = 60
local KEYS = '/etc/rspamd/keys/'

local function order(task)
  local text = task:get_header('X-Lab')
  local parser = ucl.parser()
  if text and parser:parse_string(text) then
    return parser:get_object()
  end
  return {}
end

-- What the filter has said of the message, for the test to read.
local function request(task)
  local said = {}
  for _, name in ipairs({
    'Pass', 'Ip', 'Hostname', 'Helo', 'MTA-Name', 'Queue-Id', 'From', 'User', 'Deliver-To',
    'TLS-Version', 'TLS-Cipher', 'Settings-ID', 'Milter',
  }) do
    local value = task:get_request_header(name)
    if value then
      said[name] = tostring(value)
    end
  end
  said.Rcpt = {}
  for _, recipient in ipairs(task:get_recipients('smtp') or {}) do
    table.insert(said.Rcpt, recipient.addr)
  end
  said.size = task:get_size()
  return ucl.to_format(said, 'json-compact')
end

local function judge(task)
  local wanted = order(task)
  for number = 1, wanted.symbols or 0 do
    task:insert_result(string.format('LAB_SYMBOL_%02d', number), 1.0)
  end
  if wanted.score then
    task:insert_result('LAB_SCORE', wanted.score)
  end
  if wanted.action then
    task:set_pre_result(wanted.action, wanted.message, 'lab')
  end
  if wanted.subject then
    task:set_metric_subject(wanted.subject)
  end
  if wanted.add or wanted.remove then
    lua_mime.modify_headers(task, { add = wanted.add, remove = wanted.remove })
  end
  if wanted.milter then
    task:set_milter_reply(wanted.milter)
  end
  if wanted.long then
    task:set_milter_reply({ add_headers = { ['X-New'] = string.rep('x', wanted.long) } })
  end
  if wanted.echo then
    task:set_milter_reply({ add_headers = { ['X-Lab-Request'] = request(task) } })
  end
end

local id = rspamd_config:register_symbol({ name = 'LAB', type = 'callback', callback = judge })
rspamd_config:register_symbol({
  name = 'LAB_SCORE', type = 'virtual', parent = id, score = 1.0,
})
for number = 1, SYMBOLS do
  rspamd_config:register_symbol({
    name = string.format('LAB_SYMBOL_%02d', number),
    type = 'virtual',
    parent = id,
    score = number / 1000,
  })
end

-- Which keys sign a message: {"dkim": ["rsa", "ed25519"]}.
rspamd_plugins.lab = {
  keys = function(task, what)
    local found = {}
    for _, name in ipairs(order(task)[what] or {}) do
      table.insert(found, { domain = 'signed.example', selector = name, key = KEYS .. name .. '.pem' })
    end
    if found[1] then
      return found
    end
  end,
}
