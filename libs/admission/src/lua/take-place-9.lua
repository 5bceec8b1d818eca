--[[
  Takes a place in a model's queue, or refuses it, and tags the request for start-time fair queueing (Goyal, Vin, Cheng,
  "Start-time Fair Queuing", 1996): start tag = max(virtual time, the tenant's last finish tag), finish tag = start tag +
  cost ÷ weight. Priority 1 stands for the tag `base`, each further one for `unit` tokens of tag. Also estimates the wait:
  the jobs in front of the priority that no free slot takes, times mean service time ÷ slots.

  Guarantee: atomic; the bounds hold exactly over all replicas; a refusal takes no place and moves no tag (only the promise
  of when to come back is kept, so that refused clients queue up in time instead of coming back together); the same
  request twice is one place. O(log n).

  KEYS[1] waiting (sorted set)        KEYS[2] waiting of the tenant (sorted set)   KEYS[3] start tags (hash)
  KEYS[4] finish tags (sorted set)    KEYS[5] fair clock (hash)                    KEYS[6] drain (hash)
  KEYS[7] BullMQ's prioritized (sorted set)   KEYS[8] BullMQ's wait (list)         KEYS[9] BullMQ's active (list)
  ARGV[1] now in ms or ''   ARGV[2] request id   ARGV[3] tenant id   ARGV[4] places   ARGV[5] places of the tenant
  ARGV[6] most jobs in BullMQ   ARGV[7] slots   ARGV[8] cost in tokens   ARGV[9] weight   ARGV[10] lease in ms
  ARGV[11] unit in tokens   ARGV[12] longest wait in ms, -1 for any   ARGV[13] service time in ms until one was measured
  ARGV[14] highest priority
  Returns { verdict, priority, start tag, base, ahead, wait ms, retry after ms, places taken }
  verdict: 'placed' | 'overloaded' | 'full' | 'share' | 'late'
]]
--@include now
local waiting = KEYS[1]
local waitingOfTenant = KEYS[2]
local startTags = KEYS[3]
local finishTags = KEYS[4]
local fairClock = KEYS[5]
local drain = KEYS[6]
local prioritizedJobs = KEYS[7]
local waitJobs = KEYS[8]
local activeJobs = KEYS[9]
local now = timeMs(ARGV[1])
local requestId = ARGV[2]
local tenant = ARGV[3]
local places = tonumber(ARGV[4])
local placesOfTenant = tonumber(ARGV[5])
local mostJobs = tonumber(ARGV[6])
local slots = math.max(1, tonumber(ARGV[7]))
local cost = tonumber(ARGV[8])
local weight = tonumber(ARGV[9])
local leaseMs = tonumber(ARGV[10])
local unit = tonumber(ARGV[11])
local longestWaitMs = tonumber(ARGV[12])
local highestPriority = tonumber(ARGV[14])

-- Places of dead replicas. Bounded per call; each costs one later request O(log n).
local dead = redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, 32)
if #dead > 0 then
  redis.call('ZREM', waiting, unpack(dead))
  redis.call('HDEL', startTags, unpack(dead))
end
redis.call('ZREMRANGEBYSCORE', waitingOfTenant, '-inf', now)

local clock = redis.call('HMGET', fairClock, 'virtual', 'base')
local virtual = tonumber(clock[1] or 0)
local base = tonumber(clock[2] or 0)
local taken = redis.call('ZCOUNT', waiting, '(' .. now, '+inf')

-- Nobody waits, so nobody is owed anything: all tenants start level, and no queued job depends on the old base.
if taken == 0 and #dead == 0 then
  local last = redis.call('ZRANGE', finishTags, -1, -1, 'WITHSCORES')
  if last[2] then
    virtual = math.max(virtual, tonumber(last[2]))
    redis.call('DEL', finishTags)
  end
  base = virtual
  redis.call('HSET', fairClock, 'virtual', string.format('%.3f', virtual), 'base', string.format('%.3f', base))
end

local known = redis.call('HGET', startTags, requestId)
local startTag = tonumber(known or math.max(virtual, tonumber(redis.call('ZSCORE', finishTags, tenant) or 0)))
local priority = math.min(highestPriority, math.max(1, math.floor((startTag - base) / unit) + 1))

-- BullMQ's score is priority × 2^32 + a counter. Jobs that go first, and those of this priority, are ahead.
local ahead = redis.call('ZCOUNT', prioritizedJobs, '-inf', '(' .. string.format('%.0f', (priority + 1) * 4294967296))
  + redis.call('LLEN', waitJobs)
local jobs = redis.call('ZCARD', prioritizedJobs) + redis.call('LLEN', waitJobs)
local free = math.max(0, slots - redis.call('LLEN', activeJobs))
local told = redis.call('HMGET', drain, 'meanServiceMs', 'promisedUntilMs')
local drainMs = tonumber(told[1] or ARGV[13]) / slots
local function waitBehind(count)
  return count < free and 0 or (count - free + 1) * drainMs
end
local waitMs = waitBehind(ahead)

local function answer(verdict, retryAfterMs)
  return {
    verdict,
    priority,
    string.format('%.3f', startTag),
    string.format('%.3f', base),
    ahead,
    math.ceil(waitMs),
    math.ceil(retryAfterMs),
    taken,
  }
end

-- The next moment at which a place is free that nobody else was told of. A full queue has work enough without those who
-- come back, so they are called when a quarter of it (at most 5 s of work) has gone: places that newcomers take before, and
-- services that last longer than the mean, do not turn away whoever was told to come.
local slackMs = math.min(math.floor(places / 4) * drainMs, 5000)
local function promise(firstFreeMs)
  local untilMs = math.max(now + firstFreeMs + slackMs, tonumber(told[2] or 0) + drainMs)
  redis.call('HSET', drain, 'promisedUntilMs', string.format('%.1f', math.min(untilMs, now + 120000)))
  return untilMs - now
end

if known then
  redis.call('ZADD', waiting, now + leaseMs, requestId)
  redis.call('ZADD', waitingOfTenant, now + leaseMs, requestId)
  return answer('placed', 0)
end
if jobs >= mostJobs then
  return answer('overloaded', promise(waitBehind(jobs - mostJobs)))
end
if taken >= places then
  return answer('full', promise(drainMs))
end
if redis.call('ZCARD', waitingOfTenant) >= placesOfTenant then
  -- The tenant's own first job goes when everything of a lower tag has gone, which the queue before it bounds.
  return answer('share', math.max(drainMs, waitMs / placesOfTenant))
end
if longestWaitMs >= 0 and waitMs > longestWaitMs then
  return answer('late', waitMs - longestWaitMs)
end

redis.call('ZADD', waiting, now + leaseMs, requestId)
redis.call('ZADD', waitingOfTenant, now + leaseMs, requestId)
redis.call('PEXPIRE', waitingOfTenant, leaseMs * 4)
redis.call('HSET', startTags, requestId, string.format('%.3f', startTag))
redis.call('ZADD', finishTags, string.format('%.3f', startTag + cost / weight), tenant)
taken = taken + 1
return answer('placed', 0)
