--[[
  Tells one of the workers that park sequences that somebody waits who may be due a seat.

  Guarantee: no more notices than `kept`, nor for longer than `keptMs` after the last one. O(1).

  KEYS[1] notices (list)
  ARGV[1] workers that may look one after the other   ARGV[2] notices kept   ARGV[3] ms for which they are kept
  Returns how many there are
]]
local notices = KEYS[1]
local passes = ARGV[1]
local kept = tonumber(ARGV[2])
local keptMs = ARGV[3]

local count = redis.call('LPUSH', notices, passes)
if count > kept then
  redis.call('LTRIM', notices, 0, kept - 1)
end
redis.call('PEXPIRE', notices, keptMs)
return math.min(count, kept)
