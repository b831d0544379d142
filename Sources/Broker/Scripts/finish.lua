-- Ends a chord whose parts are all there: its body is sent, or its failure written, exactly once.
-- KEYS: 1–5 as in effects, 6 claim, 7 parts, 8 extra parts, 9 size, 10 counted members
-- ARGV: 1 token of the claim, 2 group, 3 'sent' or 'failed', 4 seconds for which late parts are told
--       that the chord is over, then as in effects
-- Returns: array: 1 (ended), 0 (the claim is another's: nothing was done), -1 (what was staged is
--          gone: nothing was done); and the answers of the parts
-- Never: ends a chord without a claim that stands
if redis.call('GET', KEYS[6]) ~= ARGV[1] then return { 0 } end
local plan = check_effects(5)
if plan.is_staged_gone then return { -1 } end
local answers = write_effects(plan)
redis.call('SET', KEYS[6], 'done', 'EX', ARGV[4])
redis.call('DEL', KEYS[9])
-- Freed beside: a hundred thousand parts would take a fifth of a second.
if ARGV[3] == 'sent' then redis.call('UNLINK', KEYS[7], KEYS[8], KEYS[10]) end
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HDEL', KEYS[5], ARGV[2])
table.insert(answers, 1, 1)
return answers
