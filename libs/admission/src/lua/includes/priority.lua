-- BullMQ's score of a job is its priority × 2^32 + a counter that keeps those of one priority in order. Priority 1 stands for the
-- tag `base`, each further one for `unit` tokens of tag.
local PRIORITY_SCORE = 4294967296

local function priorityOf(tag, base, unit, highestPriority)
  return math.min(highestPriority, math.max(1, math.floor((tag - base) / unit) + 1))
end

local function counterOf(score)
  return score % PRIORITY_SCORE
end

local function scoreOf(priority, counter)
  return priority * PRIORITY_SCORE + counter
end

-- Lua's own way of writing a number keeps 14 digits.
local function written(score)
  return string.format('%.0f', score)
end

-- A job that is not in the queue does not come into it.
local function putAt(prioritizedJobs, jobId, score)
  redis.call('ZADD', prioritizedJobs, 'XX', written(score), jobId)
end
