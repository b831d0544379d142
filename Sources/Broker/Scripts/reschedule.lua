-- Gives messages that wait another time, or puts them on their lists at once, as an operator decided.
-- KEYS: 1 delayed (zset), 2 delayed messages (hash), 3 counters (hash)
-- ARGV: 1 counter, then for each message: member, its record as it was read, due time in ms (0: at
--       once), list, message as it is to be
-- Returns: array of 1 (done), 0 (it waits no more: it was promoted, or somebody took it away), -1 (it
--          was changed since it was read), -2 (what has the name of its list is none)
-- Never: brings back what was promoted; does anything to a message that was changed meanwhile
redis.call('ZCARD', KEYS[1])
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
local answers = {}
local count = 0

local function move(member, due, list, message)
  if due ~= '0' then
    redis.call('HSET', KEYS[2], member, list .. '\n' .. message)
    redis.call('ZADD', KEYS[1], due, member)
    return 1
  end
  local kind = redis.call('TYPE', list)['ok']
  if kind ~= 'list' and kind ~= 'none' then return -2 end
  redis.call('LPUSH', list, message)
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
  return 1
end

for i = 2, #ARGV, 5 do
  local record = redis.call('HGET', KEYS[2], ARGV[i])
  local answer = 0
  if record then
    answer = record == ARGV[i + 1] and move(ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]) or -1
  end
  if answer == 1 then count = count + 1 end
  answers[#answers + 1] = answer
end
if count > 0 then redis.call('HINCRBY', KEYS[3], ARGV[1], count) end
return answers
