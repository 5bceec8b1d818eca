--[[
  Where a queued job stands, and how long it will wait: the jobs in front that no free slot takes, times mean service time ÷
  slots.

  Guarantee: changes nothing. O(log n).

  KEYS[1] BullMQ's prioritized (sorted set)   KEYS[2] BullMQ's wait (list)   KEYS[3] BullMQ's active (list)
  KEYS[4] drain (hash)
  ARGV[1] job id   ARGV[2] slots   ARGV[3] service time in ms until one was measured
  Returns { jobs in front, wait ms }, or nothing when no job of this id is queued
]]
local prioritizedJobs = KEYS[1]
local waitJobs = KEYS[2]
local activeJobs = KEYS[3]
local drain = KEYS[4]
local slots = math.max(1, tonumber(ARGV[2]))

local rank = redis.call('ZRANK', prioritizedJobs, ARGV[1])
if not rank then
  return nil
end
local ahead = rank + redis.call('LLEN', waitJobs)
local free = math.max(0, slots - redis.call('LLEN', activeJobs))
local drainMs = tonumber(redis.call('HGET', drain, 'meanServiceMs') or ARGV[3]) / slots
return { ahead, ahead < free and 0 or math.ceil((ahead - free + 1) * drainMs) }
