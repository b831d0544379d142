-- Lets ticks go that wait behind jobs which are over, though nobody told of their end.
-- KEYS: 1–3 as in ticks (running, waiting, log)
-- ARGV: 1 time in ms, 2 the most lines of the log (about), 3 what the keys of results begin with, 4 how
--       many go at most
-- Returns: how many went
-- Never: lets one entry that cannot go hold up the others
local book = open_book(KEYS[1], KEYS[2], KEYS[3], ARGV[2], ARGV[1])
local most, count = tonumber(ARGV[4]), 0
for _, entry in ipairs(redis.call('HKEYS', book.waiting)) do
  if count == most then break end
  local waiting = find_waiting(book, entry)
  if waiting and is_list(waiting.list)
    and not still_runs(book, find_running(book, entry), waiting.stale, ARGV[3]) then
    start_waiting(book, entry, waiting)
    count = count + 1
  end
end
return count
