--[[
  Makes or changes the record of a request. A new one may push the tenant's oldest ones out.

  Guarantee: atomic; a record whose request has ended is not changed; a change of a record that is not there (any more)
  makes none. At most `cap` records per tenant, each for `ttl` ms after its last change. O(log records + records pushed out).

  KEYS[1] record (hash)   KEYS[2] index of the tenant's records (sorted set)
  ARGV[1] request id   ARGV[2] '1' to make it   ARGV[3] ttl in ms   ARGV[4] cap
  ARGV[5] key of a record without its request id   ARGV[6…] fields and values
  Returns 'noted' | 'ended' | 'unknown'
]]
local record = KEYS[1]
local index = KEYS[2]
local requestId = ARGV[1]
local ttlMs = tonumber(ARGV[3])
local cap = tonumber(ARGV[4])
local prefix = ARGV[5]

local endedAtMs = redis.call('HGET', record, 'endedAtMs')
if endedAtMs then
  return 'ended'
end
if ARGV[2] ~= '1' and redis.call('EXISTS', record) == 0 then
  return 'unknown'
end
local fields = {}
for position = 6, #ARGV do
  fields[#fields + 1] = ARGV[position]
end
redis.call('HSET', record, unpack(fields))
redis.call('PEXPIRE', record, ttlMs)
if ARGV[2] == '1' then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('ZADD', index, 'NX', now, requestId)
  redis.call('PEXPIRE', index, ttlMs)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now - ttlMs * 2)
  local over = redis.call('ZCARD', index) - cap
  if over > 0 then
    local oldest = redis.call('ZRANGE', index, 0, math.min(over, 100) - 1)
    for _, other in ipairs(oldest) do
      redis.call('DEL', prefix .. other)
    end
    redis.call('ZREM', index, unpack(oldest))
  end
end
return 'noted'
