-- Sends signatures: their messages, and the sizes of their chords, in one atomic step.
-- KEYS: 1–5 as in effects
-- ARGV: as in effects
-- Returns: array: 1 (sent), -1 (what was staged is gone: nothing was done)
-- Never: sends a part of it
local plan = check_effects(1)
if plan.is_staged_gone then return { -1 } end
write_effects(plan)
return { 1 }
