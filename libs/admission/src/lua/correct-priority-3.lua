--[[
  Puts right a job that was queued with a priority from before a rebase, or from before another of its tenant overtook it:
  between tagging and queueing lies one round trip.

  Guarantee: idempotent; changes nothing when the priority is still the one of the tag. O(log n).

  KEYS[1] fair clock (hash)   KEYS[2] start tags (hash)   KEYS[3] BullMQ's prioritized (sorted set)
  ARGV[1] job id   ARGV[2] request id   ARGV[3] unit in tokens   ARGV[4] highest priority
  Returns 1 when the job was moved, else 0
]]
--@include priority
local fairClock = KEYS[1]
local startTags = KEYS[2]
local prioritizedJobs = KEYS[3]
local jobId = ARGV[1]
local unit = tonumber(ARGV[3])
local highestPriority = tonumber(ARGV[4])

local base = tonumber(redis.call('HGET', fairClock, 'base') or 0)
local tag = redis.call('HGET', startTags, ARGV[2])
local score = redis.call('ZSCORE', prioritizedJobs, jobId)
if not tag or not score then
  return 0
end
local newScore = scoreOf(priorityOf(tonumber(tag), base, unit, highestPriority), counterOf(tonumber(score)))
if newScore == tonumber(score) then
  return 0
end
putAt(prioritizedJobs, jobId, newScore)
return 1
