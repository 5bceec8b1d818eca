--[[
  Notes which workers have computed the beginning of a waiting request's prompt, so that one of them may bring it forward.

  Guarantee: only of a request that stands in line, and forgotten with it. O(workers).

  KEYS[1] waiters (hash)
  ARGV[1] request id   ARGV[2…] ids of workers
  Returns 1, or 0 when it does not wait
]]
--@include affinity
local waiters = KEYS[1]
local requestId = ARGV[1]

if redis.call('HEXISTS', waiters, requestId) == 0 then
  return 0
end
redis.call('HSET', waiters, computedAtField(requestId), listOfWorkers(ARGV, 2))
return 1
