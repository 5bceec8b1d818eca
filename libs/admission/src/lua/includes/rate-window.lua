-- Requests and tokens of the last minute, in buckets of 250 ms with running totals. A bucket counts until its newest
-- possible entry is 60 s old, so no window of 60 s ever holds more than the limit; a place comes back up to 250 ms late.
-- Fields: tail (oldest bucket), head (newest), r and t (totals of requests and tokens), r<bucket>, t<bucket>.
-- Amortised O(1): each bucket is dropped once.
local BUCKET_MS = 250
local WINDOW_BUCKETS = 240
local WINDOW_TTL_MS = 120000

local function openWindow(key, now)
  local bucket = math.floor(now / BUCKET_MS)
  local fields = redis.call('HMGET', key, 'tail', 'head', 'r', 't', 'r' .. bucket, 't' .. bucket)
  local window = {
    key = key,
    bucket = bucket,
    tail = tonumber(fields[1] or bucket),
    head = tonumber(fields[2] or bucket),
    requests = tonumber(fields[3] or 0),
    tokens = tonumber(fields[4] or 0),
    bucketRequests = tonumber(fields[5] or 0),
    bucketTokens = tonumber(fields[6] or 0),
  }
  -- A clock that was set back must not reopen what has been counted.
  if window.bucket < window.head then
    window.bucket = window.head
    local counts = redis.call('HMGET', key, 'r' .. window.head, 't' .. window.head)
    window.bucketRequests = tonumber(counts[1] or 0)
    window.bucketTokens = tonumber(counts[2] or 0)
  end
  local oldest = window.bucket - WINDOW_BUCKETS
  if window.head < oldest then
    redis.call('DEL', key)
    window.tail = window.bucket
    window.head = window.bucket
    window.requests = 0
    window.tokens = 0
  elseif window.tail < oldest then
    local gone = {}
    for past = window.tail, oldest - 1 do
      gone[#gone + 1] = 'r' .. past
      gone[#gone + 1] = 't' .. past
    end
    local counts = redis.call('HMGET', key, unpack(gone))
    for index = 1, #gone, 2 do
      window.requests = window.requests - tonumber(counts[index] or 0)
      window.tokens = window.tokens - tonumber(counts[index + 1] or 0)
    end
    redis.call('HDEL', key, unpack(gone))
    window.tail = oldest
    redis.call('HSET', key, 'tail', oldest, 'r', window.requests, 't', window.tokens)
  end
  return window
end

local function countInWindow(window, requests, tokens)
  local key = window.key
  window.requests = window.requests + requests
  window.tokens = window.tokens + tokens
  window.head = window.bucket
  redis.call('HSET', key, 'tail', window.tail, 'head', window.head, 'r', window.requests, 't', window.tokens,
    'r' .. window.bucket, window.bucketRequests + requests, 't' .. window.bucket, window.bucketTokens + tokens)
  -- Twice as long as a bucket counts, so once per bucket is enough.
  if window.bucketRequests == 0 then
    redis.call('PEXPIRE', key, WINDOW_TTL_MS)
  end
end

-- Takes back what was counted in a bucket, as long as that bucket still counts.
-- (`0 - n`, because `-n` of 0 is -0, which HINCRBY refuses.)
local function uncountInWindow(window, bucket, requests, tokens)
  local key = window.key
  if bucket < window.tail or redis.call('HEXISTS', key, 'r' .. bucket) == 0 then
    return
  end
  window.requests = window.requests - requests
  window.tokens = window.tokens - tokens
  if requests > 0 then
    redis.call('HINCRBY', key, 'r' .. bucket, 0 - requests)
  end
  if tokens > 0 then
    redis.call('HINCRBY', key, 't' .. bucket, 0 - tokens)
  end
  redis.call('HSET', key, 'r', window.requests, 't', window.tokens)
end

-- Ms until `excess` of the counts of this kind ('r' or 't') have left the window.
local function msUntilFree(window, kind, excess, now)
  local freed = 0
  for bucket = window.tail, window.head do
    freed = freed + tonumber(redis.call('HGET', window.key, kind .. bucket) or 0)
    if freed >= excess then
      return math.max(1, (bucket + WINDOW_BUCKETS + 1) * BUCKET_MS - now)
    end
  end
  return WINDOW_BUCKETS * BUCKET_MS
end

-- Ms until nothing is left in the window.
local function msUntilReset(window, total, now)
  if total <= 0 then
    return 0
  end
  return math.max(0, (window.head + WINDOW_BUCKETS + 1) * BUCKET_MS - now)
end
