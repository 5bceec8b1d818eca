--[[
  Makes priority 1 stand for the present virtual time, before priorities reach BullMQ's limit of 2^21 - 1, and moves every
  queued job to the priority that its tag has now. A job without a tag keeps its distance, down to priority 1.

  Guarantee: keeps the order of all jobs. Does nothing while virtual time is less than `distance` from the base, so it is
  safe to call from every replica. O(n log n) in queued jobs, once per `distance` tokens of virtual time.

  KEYS[1] fair clock (hash)   KEYS[2] start tags (hash)   KEYS[3] BullMQ's prioritized (sorted set)
  KEYS[4] waiting (sorted set)
  ARGV[1] distance in tokens   ARGV[2] unit in tokens   ARGV[3] highest priority
  Returns the number of jobs moved
]]
--@include priority
local fairClock = KEYS[1]
local startTags = KEYS[2]
local prioritizedJobs = KEYS[3]
local waiting = KEYS[4]
local unit = tonumber(ARGV[2])
local highestPriority = tonumber(ARGV[3])

local clock = redis.call('HMGET', fairClock, 'virtual', 'base')
local virtual = tonumber(clock[1] or 0)
local base = tonumber(clock[2] or 0)
if virtual - base < tonumber(ARGV[1]) then
  return 0
end
local shift = math.floor((virtual - base) / unit)
local newBase = base + shift * unit

local tagged = {}
for _, requestId in ipairs(redis.call('ZRANGE', waiting, 0, -1)) do
  tagged[requestId] = true
end
local jobs = redis.call('ZRANGE', prioritizedJobs, 0, -1, 'WITHSCORES')
for index = 1, #jobs, 2 do
  local jobId = jobs[index]
  local score = tonumber(jobs[index + 1])
  -- A job id is the request id, '-' and the attempt.
  local requestId = string.match(jobId, '^(.*)%-%d+$')
  local tag = requestId and tagged[requestId] and redis.call('HGET', startTags, requestId)
  local moved
  if tag then
    moved = priorityOf(tonumber(tag), newBase, unit, highestPriority)
  else
    moved = math.min(highestPriority, math.max(1, math.floor(score / PRIORITY_SCORE) - shift))
  end
  putAt(prioritizedJobs, jobId, scoreOf(moved, counterOf(score)))
end
redis.call('HSET', fairClock, 'base', string.format('%.3f', newBase))
return #jobs / 2
