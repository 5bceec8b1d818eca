-- What is kept of a tenant's answers, by bytes: `total`, and one count per request. Answers that nobody could come back to
-- any more are forgotten first, then the oldest until the rest fits.
local function nowMs()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function forgetAnswer(index, bytes, requestId)
  local size = tonumber(redis.call('HGET', bytes, requestId) or 0)
  redis.call('HINCRBY', bytes, 'total', 0 - size)
  redis.call('HDEL', bytes, requestId)
  redis.call('ZREM', index, requestId)
end

local function countBytes(index, bytes, requestId, size)
  redis.call('HINCRBY', bytes, requestId, size)
  return redis.call('HINCRBY', bytes, 'total', size)
end

-- Bounded per call: what is left over is found by the next one.
local function makeRoom(index, bytes, requestId, total, most, answerPrefix, framesPrefix)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', nowMs(), 'LIMIT', 0, 100)) do
    total = total - tonumber(redis.call('HGET', bytes, gone) or 0)
    forgetAnswer(index, bytes, gone)
  end
  local rank = 0
  while total > most and rank < 100 do
    local oldest = redis.call('ZRANGE', index, rank, rank)[1]
    if not oldest then
      return
    end
    if oldest == requestId then
      rank = rank + 1
    else
      total = total - tonumber(redis.call('HGET', bytes, oldest) or 0)
      redis.call('DEL', answerPrefix .. oldest, framesPrefix .. oldest)
      forgetAnswer(index, bytes, oldest)
    end
  end
end
