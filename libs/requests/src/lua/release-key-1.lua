--[[
  Frees an idempotency key whose request was refused before it began.

  Guarantee: a key that another request has by now is not touched. O(1).

  KEYS[1] idempotency key (hash)
  ARGV[1] request id
  Returns 1, or 0 when the key is another's
]]
local key = KEYS[1]

if redis.call('HGET', key, 'requestId') ~= ARGV[1] then
  return 0
end
return redis.call('DEL', key)
