--[[
  Begins to keep the answer of a request, for whoever comes back to it. Older answers of the tenant make room.

  Guarantee: atomic; does nothing when its idempotency key is another request's by now. O(log answers + answers that make room).

  KEYS[1] answer (hash)   KEYS[2] index of the tenant's answers (sorted set)   KEYS[3] bytes (hash)
  KEYS[4] idempotency key (hash)
  ARGV[1] request id   ARGV[2] owner   ARGV[3] epoch   ARGV[4] what is needed to go on with the request
  ARGV[5] ms for which it is kept   ARGV[6] most bytes of the tenant   ARGV[7] key of an answer without its request id
  ARGV[8] the same of frames   ARGV[9] '1' when it has an idempotency key
  Returns 1, or 0 when the key is another's
]]
--@include kept-bytes
local answer = KEYS[1]
local index = KEYS[2]
local bytes = KEYS[3]
local idempotencyKey = KEYS[4]
local requestId = ARGV[1]
local keptMs = tonumber(ARGV[5])

if ARGV[9] == '1' and redis.call('HGET', idempotencyKey, 'requestId') ~= requestId then
  return 0
end
redis.call('HSET', answer, 'state', 'open', 'owner', ARGV[2], 'epoch', ARGV[3], 'request', ARGV[4])
redis.call('PEXPIRE', answer, keptMs)
redis.call('ZADD', index, nowMs() + keptMs, requestId)
redis.call('PEXPIRE', index, keptMs * 2)
local total = countBytes(index, bytes, requestId, #ARGV[4])
redis.call('PEXPIRE', bytes, keptMs * 2)
makeRoom(index, bytes, requestId, total, tonumber(ARGV[6]), ARGV[7], ARGV[8])
if ARGV[9] == '1' then
  redis.call('HSET', idempotencyKey, 'pending', 0)
  redis.call('PEXPIRE', idempotencyKey, keptMs)
end
return 1
