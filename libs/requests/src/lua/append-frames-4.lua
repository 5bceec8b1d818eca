--[[
  Adds frames to a kept answer, and with the last ones says how it ended, or that its owner gives it away.

  Guarantee: atomic; only the owner of an open answer adds to it. An answer that outgrows its bytes is dropped; older
  answers of the tenant make room. O(log answers + answers that make room).

  KEYS[1] answer (hash)   KEYS[2] frames (stream)   KEYS[3] index of the tenant's answers (sorted set)   KEYS[4] bytes (hash)
  ARGV[1] request id   ARGV[2] owner   ARGV[3] epoch   ARGV[4] frames, or ''   ARGV[5] ms for which it is kept
  ARGV[6] most bytes of the answer   ARGV[7] most bytes of the tenant   ARGV[8] key of an answer without its request id
  ARGV[9] the same of frames   ARGV[10] channel that is told   ARGV[11] '' | 'released' | the state it ends in
  ARGV[12] its error as JSON, or ''
  Returns 'kept' | 'dropped' | 'lost'
]]
--@include kept-bytes
local answer = KEYS[1]
local frames = KEYS[2]
local index = KEYS[3]
local bytes = KEYS[4]
local requestId = ARGV[1]
local payload = ARGV[4]
local keptMs = tonumber(ARGV[5])
local channel = ARGV[10]
local ending = ARGV[11]

local known = redis.call('HMGET', answer, 'state', 'owner')
if known[1] ~= 'open' or known[2] ~= ARGV[2] then
  return 'lost'
end
if payload ~= '' then
  local size = tonumber(redis.call('HGET', bytes, requestId) or 0)
  if size + #payload > tonumber(ARGV[6]) then
    redis.call('HSET', answer, 'state', 'dropped', 'owner', '')
    redis.call('HDEL', answer, 'request')
    redis.call('DEL', frames)
    forgetAnswer(index, bytes, requestId)
    redis.call('PUBLISH', channel, 'dropped')
    return 'dropped'
  end
  redis.call('XADD', frames, '*', 'f', payload)
  local total = countBytes(index, bytes, requestId, #payload)
  makeRoom(index, bytes, requestId, total, tonumber(ARGV[7]), ARGV[8], ARGV[9])
end
redis.call('HSET', answer, 'epoch', ARGV[3])
if ending == 'released' then
  redis.call('HSET', answer, 'owner', '')
elseif ending ~= '' then
  redis.call('HSET', answer, 'state', ending, 'owner', '', 'error', ARGV[12])
end
redis.call('PEXPIRE', answer, keptMs)
redis.call('PEXPIRE', frames, keptMs)
redis.call('ZADD', index, nowMs() + keptMs, requestId)
redis.call('PEXPIRE', index, keptMs * 2)
redis.call('PEXPIRE', bytes, keptMs * 2)
redis.call('PUBLISH', channel, 'more')
return 'kept'
