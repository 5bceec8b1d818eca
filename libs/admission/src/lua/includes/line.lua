--@include affinity
-- The line of each tenant: its waiting requests by start tag, in the sorted set `<lines>:<tenant>`; and in `lines` the tag of
-- the first of each tenant that has any. `waiters` (hash) tells the class and tenant of a request: `<class>:<tenant>`.
-- Keys of single tenants are made of the name of `lines`, so they lie in the same slot of a cluster.
local function lineKey(lines, tenant)
  return lines .. ':' .. tenant
end

local function noteFirst(lines, tenant)
  local first = redis.call('ZRANGE', lineKey(lines, tenant), 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', lines, first[2], tenant)
  else
    redis.call('ZREM', lines, tenant)
  end
end

local function joinLine(lines, waiters, tenant, requestId, class, tag)
  redis.call('ZADD', lineKey(lines, tenant), tag, requestId)
  redis.call('HSET', waiters, requestId, class .. ':' .. tenant)
  noteFirst(lines, tenant)
end

-- Another place in its tenant's line. Returns the tag as it is kept.
local function retag(line, startTags, requestId, newTag)
  local tag = string.format('%.3f', newTag)
  redis.call('HSET', startTags, requestId, tag)
  redis.call('ZADD', line, tag, requestId)
  return tonumber(tag)
end

local function classAndTenant(waiter)
  local class, tenant = string.match(waiter, '^(%d+):(.*)$')
  return tonumber(class), tenant
end

local function leaveLine(lines, waiters, requestId)
  local waiter = redis.call('HGET', waiters, requestId)
  if not waiter then
    return
  end
  local _, tenant = classAndTenant(waiter)
  redis.call('HDEL', waiters, requestId, computedAtField(requestId), passedField(requestId))
  redis.call('ZREM', lineKey(lines, tenant), requestId)
  noteFirst(lines, tenant)
end

local function classOf(waiters, requestId)
  local waiter = redis.call('HGET', waiters, requestId)
  return waiter and classAndTenant(waiter) or 0
end
