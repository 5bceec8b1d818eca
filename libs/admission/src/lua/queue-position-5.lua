--[[
  Where a queued job stands, and how long it will wait: the jobs in front that no free slot takes, times mean service time ÷
  slots.

  Guarantee: changes nothing. O(log n).

  KEYS[1] BullMQ's prioritized (sorted set)   KEYS[2] BullMQ's wait (list)   KEYS[3] BullMQ's active (list)
  KEYS[4] drain (hash)   KEYS[5] offered (sorted set)
  ARGV[1] now in ms or ''   ARGV[2] job id   ARGV[3] slots   ARGV[4] service time in ms until one was measured
  Returns { jobs in front, wait ms }, or nothing when no job of this id is queued
]]
--@include now
local prioritizedJobs = KEYS[1]
local waitJobs = KEYS[2]
local activeJobs = KEYS[3]
local drain = KEYS[4]
local offered = KEYS[5]
local slots = math.max(1, tonumber(ARGV[3]))

local rank = redis.call('ZRANK', prioritizedJobs, ARGV[2])
if not rank then
  return nil
end
local ahead = rank + redis.call('LLEN', waitJobs)
local held = redis.call('LLEN', activeJobs) + redis.call('ZCOUNT', offered, '(' .. timeMs(ARGV[1]), '+inf')
local free = math.max(0, slots - held)
local drainMs = tonumber(redis.call('HGET', drain, 'meanServiceMs') or ARGV[4]) / slots
return { ahead, ahead < free and 0 or math.ceil((ahead - free + 1) * drainMs) }
