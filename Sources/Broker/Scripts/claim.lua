-- Looks at an open chord that is due: ends our record of it when it is over, claims it when all its
-- parts are there and nobody ends it, and else puts the next look off.
-- KEYS: 1 open chords (zset: when to look again, in ms), 2 their entries (hash), 3 claim, 4 parts,
--       5 extra parts, 6 size
-- ARGV: 1 group, 2 token, 3 seconds a claim lasts, 4 ms until the next look
-- Returns: array: 'over', 'open' or 'early'; or 'claimed', the entry, the number of parts
-- Never: claims what another has claimed; forgets a chord that waits for parts
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local group = ARGV[1]
local due = redis.call('ZSCORE', KEYS[1], group)
if not due or tonumber(due) > now then return { 'early' } end

local function forget()
  redis.call('ZREM', KEYS[1], group)
  redis.call('HDEL', KEYS[2], group)
  return { 'over' }
end

local function look_again(after)
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + after), group)
end

local claim = redis.call('GET', KEYS[3])
local size = tonumber(redis.call('GET', KEYS[6]) or '')
local entry = redis.call('HGET', KEYS[2], group)
-- A part that comes after this, as of a header that is still being sent, records it again.
if claim == 'done' or not size or not entry then return forget() end
if claim then
  local left = redis.call('PTTL', KEYS[3])
  look_again(left > 0 and left + 500 or tonumber(ARGV[4]))
  return { 'open' }
end
local is_list = redis.call('TYPE', KEYS[4])['ok'] == 'list'
local there = redis.call(is_list and 'LLEN' or 'ZCARD', KEYS[4])
if there < size + (tonumber(redis.call('GET', KEYS[5]) or '') or 0) then
  look_again(tonumber(ARGV[4]))
  return { 'open' }
end
redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[3])
look_again(tonumber(ARGV[3]) * 1000 + 500)
return { 'claimed', entry, there }
