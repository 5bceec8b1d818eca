--[[
  Takes an open answer over from an owner that is dead or has given it away, and counts the dead ones.

  Guarantee: atomic; of any number that want it one gets it. O(1).

  KEYS[1] answer (hash)
  ARGV[1] the owner that it is taken from, '' when it was given away   ARGV[2] the new owner
  Returns { epoch for the next attempt, or 0 when it is not to be had, owners that died with it }
]]
local answer = KEYS[1]

local known = redis.call('HMGET', answer, 'state', 'owner')
if known[1] ~= 'open' or known[2] ~= ARGV[1] then
  return { 0, 0 }
end
redis.call('HSET', answer, 'owner', ARGV[2])
local losses = redis.call('HINCRBY', answer, 'losses', ARGV[1] == '' and 0 or 1)
return { redis.call('HINCRBY', answer, 'epoch', 1), losses }
