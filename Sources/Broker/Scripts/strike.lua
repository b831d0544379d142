-- Strikes schedule entries off that are gone.
-- KEYS: 1 ticks (hash), 2–4 as in ticks (running, waiting, log)
-- ARGV: 1 time in ms, 2 the most lines of the log (about), then the entries
-- Returns: how many of them were known
-- Never: drops a tick that waits without a line in the log
redis.call('HLEN', KEYS[1])
local book = open_book(KEYS[2], KEYS[3], KEYS[4], ARGV[2], ARGV[1])
local count = 0
for i = 3, #ARGV do
  local entry = ARGV[i]
  local waiting = find_waiting(book, entry)
  if waiting then log_tick(book, 'overlapped', entry, waiting.due, waiting.job, 0, '') end
  redis.call('HDEL', book.running, entry)
  redis.call('HDEL', book.waiting, entry)
  count = count + redis.call('HDEL', KEYS[1], entry)
end
return count
