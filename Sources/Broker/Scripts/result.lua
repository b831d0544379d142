-- What acknowledge, retry, bury and reclaim share: put in front of each of them.
-- KEYS: none of its own
-- ARGV: none of its own; store_result takes a key ('' for none), the record, and seconds to keep it
--       (0: for ever)
-- Returns: nothing
-- Never: overwrites a record that says SUCCESS with another state
local function store_result(key, record, ttl)
  if key == '' then return end
  if not string.find(record, '"status": ?"SUCCESS"') then
    local old = redis.call('GET', key)
    if old and string.find(old, '"status": ?"SUCCESS"') then return end
  end
  if ttl > 0 then
    redis.call('SETEX', key, ttl, record)
  else
    redis.call('SET', key, record)
  end
  redis.call('PUBLISH', key, record)
end
