--[[
  Puts right a job that was queued with a priority from before a rebase, or from before another of its tenant overtook it:
  between tagging and queueing lies one round trip.

  Guarantee: idempotent; changes nothing when the priority is still the one of the tag. O(log n).

  KEYS[1] fair clock (hash)   KEYS[2] start tags (hash)   KEYS[3] BullMQ's prioritized (sorted set)
  ARGV[1] job id   ARGV[2] request id   ARGV[3] unit in tokens   ARGV[4] highest priority
  Returns 1 when the job was moved, else 0
]]
local fairClock = KEYS[1]
local startTags = KEYS[2]
local prioritizedJobs = KEYS[3]
local jobId = ARGV[1]
local unit = tonumber(ARGV[3])
local highestPriority = tonumber(ARGV[4])
local PRIORITY_SCORE = 4294967296

local base = tonumber(redis.call('HGET', fairClock, 'base') or 0)
local tag = redis.call('HGET', startTags, ARGV[2])
local score = redis.call('ZSCORE', prioritizedJobs, jobId)
if not tag or not score then
  return 0
end
local counter = tonumber(score) % PRIORITY_SCORE
local priority = math.min(highestPriority, math.max(1, math.floor((tonumber(tag) - base) / unit) + 1))
if priority == math.floor(tonumber(score) / PRIORITY_SCORE) then
  return 0
end
redis.call('ZADD', prioritizedJobs, 'XX', string.format('%.0f', priority * PRIORITY_SCORE + counter), jobId)
return 1
