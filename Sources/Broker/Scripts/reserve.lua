-- Takes messages from lists, in order, and records each as in flight: one atomic step.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset), 3… lists, most urgent first
-- ARGV: 1 how many at most, 2 how many bytes may be exceeded by the last chunk only, 3 tag prefix,
--       4… for each list the text that closes its record in `unacked`: ,"","<queue>"]
-- Returns: flat array: index of the list, message, index of the list, message, …; the tag of the nth
--          message is prefix .. n
-- Never: parses a message; leaves a popped message unrecorded (a refused write puts all back)
local wanted = tonumber(ARGV[1])
local bytes_left = tonumber(ARGV[2])
local prefix = ARGV[3]
local chunk = 16
local now = redis.call('TIME')[1]
local taken, records, scores = {}, {}, {}
local count = 0

for list = 3, #KEYS do
  while count < wanted and bytes_left > 0 do
    local want = math.min(chunk, wanted - count)
    local messages = redis.call('RPOP', KEYS[list], want)
    if not messages then break end
    for i = 1, #messages do
      count = count + 1
      local message = messages[i]
      bytes_left = bytes_left - #message
      local tag = prefix .. count
      taken[count * 2 - 1] = list - 2
      taken[count * 2] = message
      records[count * 2 - 1] = tag
      records[count * 2] = '[' .. message .. ARGV[list + 1]
      scores[count * 2 - 1] = now
      scores[count * 2] = tag
    end
    if #messages < want then break end
  end
  if count >= wanted or bytes_left <= 0 then break end
end

if count == 0 then return taken end

local written = redis.pcall('HSET', KEYS[1], unpack(records))
if type(written) ~= 'table' then
  written = redis.pcall('ZADD', KEYS[2], unpack(scores))
end
if type(written) == 'table' and written.err then
  for i = count, 1, -1 do
    redis.call('RPUSH', KEYS[taken[i * 2 - 1] + 2], taken[i * 2])
    redis.pcall('HDEL', KEYS[1], records[i * 2 - 1])
  end
  return written
end
return taken
