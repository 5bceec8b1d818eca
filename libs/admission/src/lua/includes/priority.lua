-- BullMQ's score of a job is its priority × 2^32 + a counter that keeps those of one priority in order. Priority 1 stands for the
-- tag `base`, each further one for `unit` tokens of tag.
local PRIORITY_SCORE = 4294967296

local function priorityOf(tag, base, unit, highestPriority)
  return math.min(highestPriority, math.max(1, math.floor((tag - base) / unit) + 1))
end

local function counterOf(score)
  return score % PRIORITY_SCORE
end

-- To be written with '%.0f': Lua's own way keeps 14 digits.
local function scoreOf(priority, counter)
  return priority * PRIORITY_SCORE + counter
end
