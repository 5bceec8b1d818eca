--[[
  Heartbeat: renews leases that still stand. One that is gone is not made again.

  Guarantee: idempotent. O(ids × log leases).

  KEYS[1] leases (sorted set)
  ARGV[1] now in ms or ''   ARGV[2] lease in ms   ARGV[3] ms after which the whole key may vanish, 0 for never
  ARGV[4…] request ids
  Returns the ids whose lease is gone
]]
--@include now
local leases = KEYS[1]
local endsMs = timeMs(ARGV[1]) + tonumber(ARGV[2])
local keyTtlMs = tonumber(ARGV[3])

local gone = {}
for index = 4, #ARGV do
  local requestId = ARGV[index]
  if redis.call('ZSCORE', leases, requestId) then
    redis.call('ZADD', leases, 'XX', endsMs, requestId)
  else
    gone[#gone + 1] = requestId
  end
end
if keyTtlMs > 0 then
  redis.call('PEXPIRE', leases, keyTtlMs)
end
return gone
