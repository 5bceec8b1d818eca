--[[
  Takes a place in a model's queue, or refuses it, and tags the request for start-time fair queueing (Goyal, Vin, Cheng,
  "Start-time Fair Queuing", 1996): start tag = max(virtual time, the tenant's last finish tag), finish tag = start tag +
  cost ÷ weight. Priority 1 stands for the tag `base`, each further one for `unit` tokens of tag. Also estimates the wait:
  the jobs in front of the priority that no free slot takes, times mean service time ÷ slots.

  Whoever is refused because a queue is full gets an appointment: the next moment at which a place is free that nobody else
  was told of. Appointments that are due soon keep places free (a quarter of the queue at most) from first requests of
  tenants that have appointments, so that who comes back as told finds one. An appointment that nobody keeps lapses.

  Within its tenant, a request goes before those of lower classes: it takes the tag of the first of them, and their tags move
  back by its cost. So the tenant's tags are what they would be had the requests come in this order, and nobody else's order
  changes.

  Guarantee: atomic; the bounds hold exactly over all replicas; a refusal takes no place and moves no tag (only its
  appointment is kept); the same request twice is one place. O(log n), and O(log n) for each of the tenant's own requests
  that it overtakes.

  KEYS[1] waiting (sorted set)        KEYS[2] waiting of the tenant (sorted set)   KEYS[3] start tags (hash)
  KEYS[4] finish tags (sorted set)    KEYS[5] fair clock (hash)                    KEYS[6] drain (hash)
  KEYS[7] BullMQ's prioritized (sorted set)   KEYS[8] BullMQ's wait (list)         KEYS[9] BullMQ's active (list)
  KEYS[10] appointments (sorted set)          KEYS[11] appointments of the tenant (sorted set)
  KEYS[12] lines (sorted set)                 KEYS[13] waiters (hash)
  KEYS[14] offered (sorted set)
  ARGV[1] now in ms or ''   ARGV[2] request id   ARGV[3] tenant id   ARGV[4] places   ARGV[5] places of the tenant
  ARGV[6] most jobs in BullMQ   ARGV[7] slots   ARGV[8] cost in tokens   ARGV[9] weight   ARGV[10] lease in ms
  ARGV[11] unit in tokens   ARGV[12] longest wait in ms, -1 for any   ARGV[13] service time in ms until one was measured
  ARGV[14] highest priority   ARGV[15] '1' when the client was refused before, '0' when not, '' when it does not say
  ARGV[16] class, 0 first
  Returns { verdict, priority, start tag, base, ahead, wait ms, retry after ms, places taken, 1 when all seats may be held
    and the tenant has few requests waiting, 1 when the tenant uses classes, jobs that no worker has taken, requests of the
    tenant that wait }
  verdict: 'placed' | 'overloaded' | 'full' | 'share' | 'late'
]]
--@include now
--@include line
--@include priority
local waiting = KEYS[1]
local waitingOfTenant = KEYS[2]
local startTags = KEYS[3]
local finishTags = KEYS[4]
local fairClock = KEYS[5]
local drain = KEYS[6]
local prioritizedJobs = KEYS[7]
local waitJobs = KEYS[8]
local activeJobs = KEYS[9]
local appointments = KEYS[10]
local appointmentsOfTenant = KEYS[11]
local lines = KEYS[12]
local waiters = KEYS[13]
local offered = KEYS[14]
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
local mayComeBack = ARGV[15] ~= '0'
-- Clients ignore a longer time. Nobody can be promised more than what goes until then.
local LONGEST_MS = 60000
-- Who comes this much too early or too late still keeps the appointment.
local EARLY_MS = 250
local LATE_MS = 3000
-- So much of a queue's work, and a quarter of its places at most, is kept for appointments.
local KEPT_MS = 5000
local class = tonumber(ARGV[16])
local NORMAL_CLASS = 1
local CLASSES_REMEMBERED_MS = 600000
-- A tenant with more requests waiting has told the workers of them before.
local FEW_WAITING = 8

-- With nobody in the queue, which is how most requests find it, there is nothing to tidy and nobody to compare with.
local nobodyWaits = redis.call('ZCARD', waiting) == 0

-- Places of dead replicas. Bounded per call; each costs one later request O(log n).
local dead = nobodyWaits and {} or redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, 32)
if #dead > 0 then
  redis.call('ZREM', waiting, unpack(dead))
  redis.call('HDEL', startTags, unpack(dead))
  for _, deadId in ipairs(dead) do
    leaveLine(lines, waiters, deadId)
  end
end
redis.call('ZREMRANGEBYSCORE', waitingOfTenant, '-inf', now)

local clock = redis.call('HMGET', fairClock, 'virtual', 'base')
local virtual = tonumber(clock[1] or 0)
local base = tonumber(clock[2] or 0)
local taken = nobodyWaits and 0 or redis.call('ZCOUNT', waiting, '(' .. now, '+inf')

-- Nobody waits, so nobody is owed anything: all tenants start level, and no queued job depends on the old base.
if nobodyWaits then
  local last = redis.call('ZRANGE', finishTags, -1, -1, 'WITHSCORES')
  if last[2] then
    virtual = math.max(virtual, tonumber(last[2]))
    redis.call('DEL', finishTags)
  end
  base = virtual
  redis.call('HSET', fairClock, 'virtual', string.format('%.3f', virtual), 'base', string.format('%.3f', base))
end

local known = not nobodyWaits and redis.call('HGET', startTags, requestId)
local line = lineKey(lines, tenant)
local finished = not nobodyWaits and redis.call('ZSCORE', finishTags, tenant)
local firstFreeTag = math.max(virtual, tonumber(finished or 0))
local startTag = tonumber(known or firstFreeTag)
-- The tenant's requests that this one overtakes, with their tags: within a line, classes are in order, so they are its last.
local overtaken = {}
local last = not (nobodyWaits or known) and redis.call('ZRANGE', line, -1, -1)[1]
if last and classOf(waiters, last) > class then
  local members = redis.call('ZRANGE', line, 0, -1, 'WITHSCORES')
  for index = #members - 1, 1, -2 do
    if classOf(waiters, members[index]) <= class then
      break
    end
    overtaken[#overtaken + 1] = { members[index], tonumber(members[index + 1]) }
    startTag = tonumber(members[index + 1])
  end
end
local priority = priorityOf(startTag, base, unit, highestPriority)

-- BullMQ's score is priority × 2^32 + a counter. Jobs that go first, and those of this priority, are ahead.
local prioritized = redis.call('ZCARD', prioritizedJobs)
local withoutPriority = redis.call('LLEN', waitJobs)
local jobs = prioritized + withoutPriority
local ahead = withoutPriority
if prioritized > 0 then
  local behind = written(scoreOf(priority + 1, 0))
  ahead = ahead + redis.call('ZCOUNT', prioritizedJobs, '-inf', '(' .. behind)
end
local active = redis.call('LLEN', activeJobs) + redis.call('ZCOUNT', offered, '(' .. now, '+inf')
local free = math.max(0, slots - active)
local waitingBefore = nobodyWaits and 0 or redis.call('ZCARD', line)
local classesKey = line .. ':classes'
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
    active > 0 and waitingBefore < FEW_WAITING and 1 or 0,
    redis.call('EXISTS', classesKey),
    jobs,
    waitingBefore,
  }
end

-- The model's appointments are only read for a tenant that has some, and added to when one is refused.
local floods = redis.call('EXISTS', appointmentsOfTenant) == 1
local kept = nil
if floods then
  redis.call('ZREMRANGEBYSCORE', appointments, '-inf', now - LATE_MS)
  redis.call('ZREMRANGEBYSCORE', appointmentsOfTenant, '-inf', now - LATE_MS)
  kept = mayComeBack and redis.call('ZRANGEBYSCORE', appointmentsOfTenant, '-inf', now + EARLY_MS, 'LIMIT', 0, 1)[1]
  if kept then
    redis.call('ZREM', appointments, kept)
    redis.call('ZREM', appointmentsOfTenant, kept)
  end
  floods = redis.call('EXISTS', appointmentsOfTenant) == 1
end

-- Places that may not be taken, of a queue of so many: those whose owners are due before they could come free otherwise.
-- Only from tenants that have appointments themselves: a flood keeps nobody out but those who make it.
local function keptOf(key, count, intervalMs)
  local most = math.floor(count / 4)
  if kept or not floods or most == 0 then
    return 0
  end
  return math.min(most, redis.call('ZCOUNT', key, '-inf', now + math.min(most * intervalMs, KEPT_MS)))
end

-- The next moment at which one of `count` places that come free each `intervalMs` is promised to nobody else. The first is
-- put off until as much has gone as is kept for appointments: until then the queue has work enough.
local function appoint(pointer, count, intervalMs)
  local slackMs = math.min(math.floor(count / 4) * intervalMs, KEPT_MS)
  return math.max(now + intervalMs + slackMs, pointer + intervalMs)
end

local function keepAppointment(key, atMs)
  if atMs - now <= LONGEST_MS then
    redis.call('ZADD', key, atMs, requestId)
    redis.call('PEXPIRE', key, LONGEST_MS * 2)
  end
end

-- Of the whole queue. Past the longest time that can be told, all are told that time.
local function appointOfQueue(verdict)
  local atMs = appoint(tonumber(told[2] or 0), places, drainMs)
  redis.call('HSET', drain, 'promisedUntilMs', string.format('%.1f', math.min(atMs, now + LONGEST_MS)))
  keepAppointment(appointments, atMs)
  keepAppointment(appointmentsOfTenant, atMs)
  return answer(verdict, atMs - now)
end

-- Of the tenant's share: its places come free as fast as its own requests are served. Keeps nothing from others.
local function appointOfShare()
  local intervalMs = math.max(drainMs, waitMs / placesOfTenant)
  local last = redis.call('ZRANGE', appointmentsOfTenant, -1, -1, 'WITHSCORES')[2]
  local atMs = appoint(tonumber(last or 0), placesOfTenant, intervalMs)
  keepAppointment(appointmentsOfTenant, atMs)
  return answer('share', atMs - now)
end

if known then
  redis.call('ZADD', waiting, now + leaseMs, requestId)
  redis.call('ZADD', waitingOfTenant, now + leaseMs, requestId)
  return answer('placed', 0)
end
if jobs >= mostJobs then
  return answer('overloaded', math.max(waitBehind(jobs - mostJobs), drainMs))
end
if taken + keptOf(appointments, places, drainMs) >= places then
  return appointOfQueue('full')
end
local takenOfTenant = redis.call('ZCARD', waitingOfTenant)
if takenOfTenant + keptOf(appointmentsOfTenant, placesOfTenant, drainMs) >= placesOfTenant then
  return appointOfShare()
end
if longestWaitMs >= 0 and waitMs > longestWaitMs then
  return answer('late', waitMs - longestWaitMs)
end

redis.call('ZADD', waiting, now + leaseMs, requestId)
redis.call('ZADD', waitingOfTenant, now + leaseMs, requestId)
redis.call('PEXPIRE', waitingOfTenant, leaseMs * 4)
for _, other in ipairs(overtaken) do
  local tag = retag(line, startTags, other[1], other[2] + cost / weight)
  local jobId = other[1] .. '-1'
  local score = redis.call('ZSCORE', prioritizedJobs, jobId)
  if score then
    local priorityNow = priorityOf(tag, base, unit, highestPriority)
    putAt(prioritizedJobs, jobId, scoreOf(priorityNow, counterOf(tonumber(score))))
  end
end
local tag = string.format('%.3f', startTag)
redis.call('HSET', startTags, requestId, tag)
joinLine(lines, waiters, tenant, requestId, class, tag)
local finish = (#overtaken > 0 and firstFreeTag or startTag) + cost / weight
redis.call('ZADD', finishTags, string.format('%.3f', finish), tenant)
if class ~= NORMAL_CLASS then
  redis.call('SET', classesKey, '1', 'PX', CLASSES_REMEMBERED_MS)
end
taken = taken + 1
return answer('placed', 0)
