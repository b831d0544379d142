-- Takes messages from lists, in order, and records each as in flight: one atomic step.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset), 3 fence (string), 4… lists, most urgent first
-- ARGV: 1 how many at most, 2 how many bytes may be exceeded by the last chunk only, 3 tag prefix,
--       4… for each list the text that closes its record in `unacked`: ,"","<queue>"]
-- Returns: flat array: fence, index of the list, message, index of the list, message, …; the tag of
--          the nth message is prefix .. n, its fence the first element + n; empty when there is none
-- Never: parses a message; leaves a popped message unrecorded (a refused write puts all back); gives
--        a fence that is not greater than all before it
local wanted = tonumber(ARGV[1])
local bytes_left = tonumber(ARGV[2])
local prefix = ARGV[3]
local chunk = 16
local time = redis.call('TIME')
local now = time[1]
local taken, records, scores = { 0 }, {}, {}
local count = 0

for list = 4, #KEYS do
  while count < wanted and bytes_left > 0 do
    local want = math.min(chunk, wanted - count)
    local messages = redis.call('RPOP', KEYS[list], want)
    if not messages then break end
    for i = 1, #messages do
      count = count + 1
      local message = messages[i]
      bytes_left = bytes_left - #message
      local tag = prefix .. count
      taken[count * 2] = list - 3
      taken[count * 2 + 1] = message
      records[count * 2 - 1] = tag
      records[count * 2] = '[' .. message .. ARGV[list]
      scores[count * 2 - 1] = now
      scores[count * 2] = tag
    end
    if #messages < want then break end
  end
  if count >= wanted or bytes_left <= 0 then break end
end

if count == 0 then return {} end

-- The clock lets fences rise through a restart from an older copy, the key through a clock set back.
local fence = math.max(tonumber(redis.call('GET', KEYS[3]) or 0), time[1] * 1000000 + time[2])
taken[1] = fence

local written = redis.pcall('HSET', KEYS[1], unpack(records))
if type(written) ~= 'table' or not written.err then
  written = redis.pcall('ZADD', KEYS[2], unpack(scores))
end
if type(written) ~= 'table' or not written.err then
  written = redis.pcall('SET', KEYS[3], string.format('%.0f', fence + count))
end
if type(written) == 'table' and written.err then
  for i = count, 1, -1 do
    redis.call('RPUSH', KEYS[taken[i * 2] + 3], taken[i * 2 + 1])
    redis.pcall('HDEL', KEYS[1], records[i * 2 - 1])
    redis.pcall('ZREM', KEYS[2], records[i * 2 - 1])
  end
  return written
end
return taken
