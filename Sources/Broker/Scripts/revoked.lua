-- Stores the results of jobs that were revoked before they ran, for those who wait for them.
-- KEYS: a result key for each
-- ARGV: 1 seconds to keep a result (0: for ever), then a record for each key
-- Returns: how many were stored
-- Never: overwrites the record of a job that has ended, or that says it runs
local ttl = tonumber(ARGV[1])
local open = { PENDING = true, RECEIVED = true, RETRY = true, REJECTED = true }
local stored = 0
for i = 1, #KEYS do
  local old = redis.call('GET', KEYS[i])
  local state = old and string.match(old, '"status": ?"([^"]*)"')
  if not old or open[state] then
    store_result(KEYS[i], ARGV[i + 1], ttl)
    stored = stored + 1
  end
end
return stored
