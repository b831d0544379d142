-- What schedule, retry, unstage, relay and effects share: put in front of each of them.
-- KEYS: none of its own
-- ARGV: none of its own; put_aside takes the delayed set, the hash of delayed messages, the due time
--       in ms, `<job id>/<something unique>`, and the record: list, newline, message
-- Returns: nothing
-- Never: overwrites a message that waits, not even one of the same job
local most_twins = 8

-- Under the id alone, so that whoever knows the id finds the message; the next ones of the same job
-- under `<id>/1`, `<id>/2`, …, and beyond a few under the unique name.
local function put_aside(set, messages, due, name, record)
  local id = string.match(name, '^(.+)/[^/]*$') or name
  local member, twin = id, 0
  while redis.call('HSETNX', messages, member, record) == 0 do
    twin = twin + 1
    if twin == most_twins then
      member = name
      redis.call('HSET', messages, member, record)
      break
    end
    member = id .. '/' .. twin
  end
  redis.call('ZADD', set, due, member)
end
