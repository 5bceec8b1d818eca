--[[
  A served request has ended: its service time goes into the model's mean, from which waits are estimated, and one that was
  offered to its worker counts no more.

  Guarantee: O(log n). Repeating it only weighs one sample twice.

  KEYS[1] drain (hash)   KEYS[2] offered (sorted set)
  ARGV[1] service time in ms   ARGV[2] request id
  Returns the mean in ms
]]
local drain = KEYS[1]
local offered = KEYS[2]
local serviceMs = tonumber(ARGV[1])

redis.call('ZREM', offered, ARGV[2])

local mean = tonumber(redis.call('HGET', drain, 'meanServiceMs') or serviceMs)
local next = string.format('%.1f', mean + (serviceMs - mean) * 0.1)
redis.call('HSET', drain, 'meanServiceMs', next)
return next
