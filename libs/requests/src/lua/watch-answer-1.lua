--[[
  Notes that somebody follows a kept answer, so that it goes on.

  Guarantee: makes nothing that is not there. O(1).

  KEYS[1] answer (hash)
  ARGV[1] ms from now
  Returns 1, or 0 when there is no such answer
]]
--@include kept-bytes
local answer = KEYS[1]

if redis.call('EXISTS', answer) == 0 then
  return 0
end
redis.call('HSET', answer, 'watchedUntilMs', nowMs() + tonumber(ARGV[1]))
return 1
