--[[
  A worker has taken the request: its place is free, and virtual time advances to its start tag; but not past requests
  that still wait, when the request was taken before them for a seat that was due to its tenant.

  A request that was offered to its worker is counted beside what BullMQ counts, for as long as its replica renews the lease.

  Guarantee: exactly once per place; of a request without a place (left already, or its lease ran out) nothing but the count
  of those that were offered changes. O(log n), plus O(log n) for each tenant whose finish tag virtual time has passed.

  KEYS[1] waiting (sorted set)   KEYS[2] waiting of the tenant (sorted set)   KEYS[3] start tags (hash)
  KEYS[4] finish tags (sorted set)   KEYS[5] fair clock (hash)   KEYS[6] lines (sorted set)   KEYS[7] waiters (hash)
  KEYS[8] offered (sorted set)
  ARGV[1] now in ms or ''   ARGV[2] request id   ARGV[3] lease in ms of one that was offered, 0 for one of the queue
  Returns { 1 or 0, virtual time - base in tokens }
]]
--@include now
--@include line
local waiting = KEYS[1]
local waitingOfTenant = KEYS[2]
local startTags = KEYS[3]
local finishTags = KEYS[4]
local fairClock = KEYS[5]
local lines = KEYS[6]
local waiters = KEYS[7]
local offered = KEYS[8]
local requestId = ARGV[2]
local offeredLeaseMs = tonumber(ARGV[3])

if offeredLeaseMs > 0 then
  local now = timeMs(ARGV[1])
  redis.call('ZREMRANGEBYSCORE', offered, '-inf', now)
  redis.call('ZADD', offered, now + offeredLeaseMs, requestId)
end

local clock = redis.call('HMGET', fairClock, 'virtual', 'base')
local virtual = tonumber(clock[1] or 0)
local base = tonumber(clock[2] or 0)
local startTag = redis.call('HGET', startTags, requestId)
redis.call('ZREM', waiting, requestId)
redis.call('ZREM', waitingOfTenant, requestId)
leaveLine(lines, waiters, requestId)
if not startTag then
  return { 0, math.floor(virtual - base) }
end
redis.call('HDEL', startTags, requestId)
local first = redis.call('ZRANGE', lines, 0, 0, 'WITHSCORES')
local reached = math.min(tonumber(startTag), tonumber(first[2] or startTag))
if reached > virtual then
  virtual = reached
  redis.call('HSET', fairClock, 'virtual', string.format('%.3f', virtual))
  -- A finish tag in the past says no more than the virtual time itself.
  redis.call('ZREMRANGEBYSCORE', finishTags, '-inf', '(' .. string.format('%.3f', virtual))
end
return { 1, math.floor(virtual - base) }
