--[[
  The request leaves the queue without having been served: its place is free, and its cost is taken off its tenant's
  finish tag, so that what was never done does not count against the tenant.

  Guarantee: exactly once per place. O(log n).

  KEYS[1] waiting (sorted set)   KEYS[2] waiting of the tenant (sorted set)   KEYS[3] start tags (hash)
  KEYS[4] finish tags (sorted set)   KEYS[5] fair clock (hash)   KEYS[6] lines (sorted set)   KEYS[7] waiters (hash)
  ARGV[1] request id   ARGV[2] tenant id   ARGV[3] cost in tokens   ARGV[4] weight
  Returns 1, or 0 when it had no place
]]
--@include line
local waiting = KEYS[1]
local waitingOfTenant = KEYS[2]
local startTags = KEYS[3]
local finishTags = KEYS[4]
local fairClock = KEYS[5]
local lines = KEYS[6]
local waiters = KEYS[7]
local requestId = ARGV[1]
local tenant = ARGV[2]

redis.call('ZREM', waiting, requestId)
redis.call('ZREM', waitingOfTenant, requestId)
leaveLine(lines, waiters, requestId)
if redis.call('HDEL', startTags, requestId) == 0 then
  return 0
end
local finishTag = tonumber(redis.call('ZSCORE', finishTags, tenant) or 0)
local virtual = tonumber(redis.call('HGET', fairClock, 'virtual') or 0)
local earlier = finishTag - tonumber(ARGV[3]) / tonumber(ARGV[4])
if earlier > virtual then
  redis.call('ZADD', finishTags, string.format('%.3f', earlier), tenant)
else
  redis.call('ZREM', finishTags, tenant)
end
return 1
