--[[
  Makes of the tenant whose turn it is that request the next one whose prompt begins with what the asking worker has computed.
  Requests of a lower class stay behind, and none is passed by more than a few that came later.

  The request takes the tag and the place of the first that it passes, and the tags of all those move back by its cost: the
  tenant's tags are what they would be had its requests come in this order, and nobody else's order changes.

  Guarantee: atomic; nothing changes when the first is this worker's, when jobs wait that go before all tags, or for what is on
  its way into the queue. O(log n) for each of a few requests.

  KEYS[1] lines (sorted set)   KEYS[2] waiters (hash)   KEYS[3] BullMQ's prioritized (sorted set)   KEYS[4] BullMQ's wait (list)
  KEYS[5] start tags (hash)    KEYS[6] finish tags (sorted set)   KEYS[7] fair clock (hash)
  ARGV[1] worker id   ARGV[2] requests that are chosen from   ARGV[3] how often one may be passed   ARGV[4] unit in tokens
  ARGV[5] highest priority
  Returns the job that was brought forward, or nothing
]]
--@include line
--@include priority
local lines = KEYS[1]
local waiters = KEYS[2]
local prioritizedJobs = KEYS[3]
local waitJobs = KEYS[4]
local startTags = KEYS[5]
local finishTags = KEYS[6]
local fairClock = KEYS[7]
local workerId = ARGV[1]
local mostChosenFrom = tonumber(ARGV[2])
local mostPassed = tonumber(ARGV[3])
local unit = tonumber(ARGV[4])
local highestPriority = tonumber(ARGV[5])

local function read(requestId)
  local waiter, workers, passed =
    unpack(redis.call('HMGET', waiters, requestId, computedAtField(requestId), passedField(requestId)))
  return {
    id = requestId,
    waiter = waiter,
    isHere = workers and listHas(workers, workerId),
    passed = tonumber(passed or 0),
  }
end

local nextJobs = redis.call('ZRANGE', prioritizedJobs, 0, 1)
if #nextJobs < 2 or redis.call('LLEN', waitJobs) > 0 then
  return nil
end
-- Only first attempts stand in line.
local first = read(string.match(nextJobs[1], '^(.*)%-1$') or '')
if not first.waiter or first.isHere then
  return nil
end
local class, tenant = classAndTenant(first.waiter)
local line = lineKey(lines, tenant)
-- Those that workers have taken stand before it until their replicas say so.
local rank = redis.call('ZRANK', line, first.id)
local members = redis.call('ZRANGE', line, rank, rank + mostChosenFrom, 'WITHSCORES')

-- The tenant's queued requests from the first to the one that is brought forward.
local moved = {}
local chosen = nil
local tagBehind = nil
for index = 1, #members, 2 do
  if chosen then
    tagBehind = members[index + 1]
    break
  end
  local request = index == 1 and first or read(members[index])
  local score = redis.call('ZSCORE', prioritizedJobs, request.id .. '-1')
  if not score or classAndTenant(request.waiter) > class or #moved == mostChosenFrom then
    break
  end
  request.tag = tonumber(members[index + 1])
  request.score = tonumber(score)
  moved[#moved + 1] = request
  chosen = request.isHere and request
  if not chosen and request.passed >= mostPassed then
    break
  end
end
if not chosen then
  return nil
end

local cost = math.max(0, tonumber(tagBehind or redis.call('ZSCORE', finishTags, tenant) or chosen.tag) - chosen.tag)
local base = tonumber(redis.call('HGET', fairClock, 'base') or 0)
retag(line, startTags, chosen.id, first.tag)
putAt(prioritizedJobs, chosen.id .. '-1', first.score)
for index = 1, #moved - 1 do
  local request = moved[index]
  local tag = retag(line, startTags, request.id, request.tag + cost)
  -- Each has the counter of the next, so that those of one priority stay in order.
  local counter = counterOf(moved[index + 1].score)
  putAt(prioritizedJobs, request.id .. '-1', scoreOf(priorityOf(tag, base, unit, highestPriority), counter))
  redis.call('HINCRBY', waiters, passedField(request.id), 1)
end
return chosen.id .. '-1'
