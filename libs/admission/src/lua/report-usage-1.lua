--[[
  A worker whose API replica vanished tells what it had made of a request, for the bill when nobody goes on with it.

  Guarantee: changes nothing of a request that has ended; of several reports the greatest counts. O(1).

  KEYS[1] reservation (hash)
  ARGV[1] prompt tokens   ARGV[2] of these, cached   ARGV[3] completion tokens
  Returns 1, or 0 when the request has ended or is unknown
]]
local reservation = KEYS[1]

if redis.call('HGET', reservation, 'state') ~= 'held' then
  return 0
end
local known = tonumber(redis.call('HGET', reservation, 'usedCompletion') or -1)
if tonumber(ARGV[3]) > known then
  redis.call('HSET', reservation, 'usedPrompt', ARGV[1], 'usedCached', ARGV[2], 'usedCompletion', ARGV[3])
end
return 1
