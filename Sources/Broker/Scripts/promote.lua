-- Moves messages whose time has come to their lists, earliest first; one promoter has the turn.
-- KEYS: 1 delayed (zset), 2 delayed messages (hash), 3 whose turn it is (string)
-- ARGV: 1 how many at most, 2 bytes after which it stops, 3 who asks ('': somebody who needs no
--       turn), 4 ms for which the turn lasts, 5 ms after which what cannot be moved is tried again
-- Returns: array: how many were moved, ms until the next one is due (-1: none waits), how many could
--          not be moved because what has the name of their list is none; or, when it is another's
--          turn: -1, ms until that ends
-- Never: removes a message from the set before it is on its list; moves a later one before an earlier
--        one; lets what cannot be moved hold up the others
local asks, turn = ARGV[3], tonumber(ARGV[4])
if asks ~= '' then
  local left = redis.call('PTTL', KEYS[3])
  local owner = redis.call('GET', KEYS[3])
  if owner and owner ~= asks then return { -1, math.max(1, left) } end
  -- Prolonged now and then, not each time. Without memory for it, everybody promotes.
  if left < turn * 0.6 then redis.pcall('SET', KEYS[3], asks, 'PX', turn) end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
local bytes_left = tonumber(ARGV[2])
local chunk = 16
local lists, batches, moved, stuck = {}, {}, {}, {}
local count, looked = 0, 0

local function batch_of(list)
  local batch = batches[list]
  if not batch then
    local kind = redis.call('TYPE', list)['ok']
    batch = { is_list = kind == 'list' or kind == 'none' }
    batches[list] = batch
    lists[#lists + 1] = list
  end
  return batch
end

while looked < #due and bytes_left > 0 do
  local last = math.min(looked + chunk, #due)
  local records = redis.call('HMGET', KEYS[2], unpack(due, looked + 1, last))
  for i = 1, last - looked do
    local member, record = due[looked + i], records[i]
    local line = record and string.find(record, '\n', 1, true)
    local batch = line and batch_of(string.sub(record, 1, line - 1))
    if batch and batch.is_list then
      batch[#batch + 1] = string.sub(record, line + 1)
      bytes_left = bytes_left - #record
      count = count + 1
    end
    if record and not (batch and batch.is_list) then
      stuck[#stuck + 1] = member
    else
      moved[#moved + 1] = member
    end
  end
  looked = last
end

for i = 1, #lists do
  local batch = batches[lists[i]]
  if #batch > 0 then redis.call('LPUSH', lists[i], unpack(batch)) end
end
if #moved > 0 then
  redis.call('ZREM', KEYS[1], unpack(moved))
  redis.call('HDEL', KEYS[2], unpack(moved))
end
for i = 1, #stuck do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[5]), stuck[i]) end

local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local wait = #first == 0 and -1 or math.max(0, math.ceil(tonumber(first[2]) - now))
return { count, wait, #stuck }
