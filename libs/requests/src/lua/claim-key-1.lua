--[[
  Gives an idempotency key to a request, or tells which request has it. The key is free again when its answer is not kept
  any more. `replaces` is a request that has ended in a way that is worth another try, or whose replica died before it began.

  Guarantee: atomic; of any number of requests that come together one gets the key. O(1).

  KEYS[1] idempotency key (hash)
  ARGV[1] fingerprint of the request   ARGV[2] its request id   ARGV[3] ms for which it may take to begin its answer
  ARGV[4] key of a kept answer without its request id   ARGV[5] request id that it replaces, or ''
  ARGV[6] replica of the request
  Returns { 'new' | 'attach' | 'pending' | 'mismatch', request id that has the key, its replica }
]]
local key = KEYS[1]
local fingerprint = ARGV[1]
local requestId = ARGV[2]
local pendingMs = tonumber(ARGV[3])
local answerPrefix = ARGV[4]
local replaces = ARGV[5]
local replica = ARGV[6]

local known = redis.call('HMGET', key, 'fingerprint', 'requestId', 'pending', 'replica')
if known[1] then
  local pending = known[3] == '1'
  if pending or redis.call('EXISTS', answerPrefix .. known[2]) == 1 then
    if known[1] ~= fingerprint then
      return { 'mismatch', known[2], known[4] or '' }
    end
    if known[2] ~= replaces then
      return { pending and 'pending' or 'attach', known[2], known[4] or '' }
    end
  end
end
redis.call('HSET', key, 'fingerprint', fingerprint, 'requestId', requestId, 'pending', 1, 'replica', replica)
redis.call('PEXPIRE', key, pendingMs)
return { 'new', requestId, replica }
