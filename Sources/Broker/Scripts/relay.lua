-- Pushes the rows of an outbox, each once, and confirms those whose removal was committed.
-- KEYS: 1 pushed (zset: id → when it may be forgotten, in ms), 2 delayed (zset), 3 delayed messages
--       (hash)
-- ARGV: 1 when the rows were claimed, in ms of this server, 2 how old a claim may be, 3 how long an id
--       is kept whose commit is in doubt, 4 how long one is kept that is confirmed, all in ms, 5 how many
--       ids are forgotten at most, and how many there are of: 6 confirmed ids, 7 lists, 8 messages; then
--       these: id; list; message (id, number of its list, due time in ms or 0, message)
-- Returns: array: this server's time in ms; 1, or 0 when the claim is too old and nothing was pushed;
--          array of the numbers of messages dropped because they were pushed before; array of those
--          not taken because their list is something else
-- Never: pushes an id twice while it is kept; pushes for a claim that may be over; parses a message
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claimed, patience = tonumber(ARGV[1]), tonumber(ARGV[2])
local doubt, keep, trim = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local confirmed, lists, messages = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local first_list = 9 + confirmed
local first_message = first_list + lists
local chunk = 1000

redis.call('ZCARD', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[3])
local is_fit, pushes = {}, {}
for i = 0, lists - 1 do
  local kind = redis.call('TYPE', ARGV[first_list + i])['ok']
  is_fit[i + 1] = kind == 'list' or kind == 'none'
  pushes[i + 1] = {}
end

-- Half of it into the future: then this server's clock was set back, and the claim's age is unknown.
local is_valid = now - claimed <= patience and claimed - now <= patience / 2
local repeated, unfit, marks, known = {}, {}, {}, {}
if is_valid then
  for from = 1, messages, chunk do
    local ids = {}
    for i = from, math.min(from + chunk - 1, messages) do
      ids[#ids + 1] = ARGV[first_message + (i - 1) * 4]
    end
    local scores = redis.call('ZMSCORE', KEYS[1], unpack(ids))
    for i = 1, #ids do
      if scores[i] and tonumber(scores[i]) > now then known[ids[i]] = true end
    end
  end
end

local keep_until = string.format('%.0f', now + keep)
for from = 9, first_list - 1, chunk do
  local scores = {}
  for i = from, math.min(from + chunk - 1, first_list - 1) do
    scores[#scores + 1] = keep_until
    scores[#scores + 1] = ARGV[i]
  end
  redis.call('ZADD', KEYS[1], 'XX', unpack(scores))
end
local old = math.min(redis.call('ZCOUNT', KEYS[1], '-inf', now), trim)
if old > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, old - 1) end
if not is_valid then return { now, 0, {}, {} } end

local doubt_until = string.format('%.0f', now + doubt)
for i = 1, messages do
  local at = first_message + (i - 1) * 4
  local id, list, due = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  if known[id] then
    repeated[#repeated + 1] = i
  elseif not is_fit[list] then
    unfit[#unfit + 1] = i
  elseif due > now then
    put_aside(KEYS[2], KEYS[3], ARGV[at + 2], id .. '/' .. id,
      ARGV[first_list + list - 1] .. '\n' .. ARGV[at + 3])
  else
    local push = pushes[list]
    push[#push + 1] = ARGV[at + 3]
    if #push == chunk then
      redis.call('LPUSH', ARGV[first_list + list - 1], unpack(push))
      pushes[list] = {}
    end
  end
  if known[id] or is_fit[list] then
    known[id] = true
    marks[#marks + 1] = doubt_until
    marks[#marks + 1] = id
    if #marks >= 2 * chunk then
      redis.call('ZADD', KEYS[1], unpack(marks))
      marks = {}
    end
  end
end
for i = 1, lists do
  if #pushes[i] > 0 then redis.call('LPUSH', ARGV[first_list + i - 1], unpack(pushes[i])) end
end
if #marks > 0 then redis.call('ZADD', KEYS[1], unpack(marks)) end
return { now, 1, repeated, unfit }
