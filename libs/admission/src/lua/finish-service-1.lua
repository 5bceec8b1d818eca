--[[
  A served request has ended: its service time goes into the model's mean, from which waits are estimated.

  Guarantee: O(1). Repeating it only weighs one sample twice.

  KEYS[1] drain (hash)
  ARGV[1] service time in ms
  Returns the mean in ms
]]
local drain = KEYS[1]
local serviceMs = tonumber(ARGV[1])

local mean = tonumber(redis.call('HGET', drain, 'meanServiceMs') or serviceMs)
local next = string.format('%.1f', mean + (serviceMs - mean) * 0.1)
redis.call('HSET', drain, 'meanServiceMs', next)
return next
