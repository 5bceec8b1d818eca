--[[
  Reserves everything a request needs of its tenant, or nothing: credits, a place in the requests and tokens of the
  minute, and a concurrency lease.

  Guarantee: atomic; all limits hold exactly over all replicas; a refusal changes no count; the same request id twice is
  one reservation (the lease is renewed), and a request that has ended can not be reserved again. An allowance that is due
  is renewed, once, whatever becomes of the request. O(log leases).

  KEYS[1] rate window (hash)          KEYS[2] leases (sorted set)
  KEYS[3] account (hash)              KEYS[4] reservation (hash)   KEYS[5] ledger (stream)
  ARGV[1] now in ms or ''   ARGV[2] request id        ARGV[3] requests per minute, -1 for no limit
  ARGV[4] tokens per minute, -1       ARGV[5] concurrency, -1       ARGV[6] tokens of this request
  ARGV[7] hold in microcredits        ARGV[8] '1' for unlimited credits        ARGV[9] lease in ms
  ARGV[10] model   ARGV[11] key id   ARGV[12…14] microcredits per 1,000 prompt, cached and completion tokens: for the bill of a
  request whose replica dies   ARGV[15] ledger entries kept
  Returns { verdict, retry after ms, balance, requests left, requests reset ms, tokens left, tokens reset ms,
    allowance in microcredits or -1 for none, what is left of it (below zero: used beyond it), Unix time in ms of its renewal }
  verdict: 'reserved' | 'credits' | 'requests' | 'tokens' | 'concurrency' | 'ended'
]]
--@include now
--@include rate-window
--@include account
local rateWindow = KEYS[1]
local leases = KEYS[2]
local account = KEYS[3]
local reservation = KEYS[4]
local ledger = KEYS[5]
local now = timeMs(ARGV[1])
local requestId = ARGV[2]
local requestsLimit = tonumber(ARGV[3])
local tokensLimit = tonumber(ARGV[4])
local concurrencyLimit = tonumber(ARGV[5])
local tokens = tonumber(ARGV[6])
local hold = tonumber(ARGV[7])
local unlimited = ARGV[8] == '1'
local leaseMs = tonumber(ARGV[9])

local window = openWindow(rateWindow, now)
local opened = openAccount(account, ledger, now, ARGV[15])
local balance = opened.balance

local function answer(verdict, retryAfterMs)
  return {
    verdict,
    math.ceil(retryAfterMs),
    balance,
    requestsLimit < 0 and -1 or math.max(0, requestsLimit - window.requests),
    msUntilReset(window, window.requests, now),
    tokensLimit < 0 and -1 or math.max(0, tokensLimit - window.tokens),
    msUntilReset(window, window.tokens, now),
    opened.allowance or -1,
    opened.limit - opened.used,
    opened.endsMs,
  }
end

local state = redis.call('HGET', reservation, 'state')
if state == 'held' then
  redis.call('ZADD', leases, 'XX', now + leaseMs, requestId)
  return answer('reserved', 0)
end
if state then
  return answer('ended', 0)
end

if not unlimited and hold > balance then
  return answer('credits', 0)
end
if requestsLimit >= 0 and window.requests + 1 > requestsLimit then
  return answer('requests', msUntilFree(window, 'r', window.requests + 1 - requestsLimit, now))
end
if tokensLimit >= 0 and window.tokens + tokens > tokensLimit then
  return answer('tokens', msUntilFree(window, 't', window.tokens + tokens - tokensLimit, now))
end
if concurrencyLimit >= 0 then
  -- Leases that have run out are a dead replica's; the sweep takes back what they hold.
  local live = redis.call('ZCOUNT', leases, '(' .. now, '+inf')
  if live >= concurrencyLimit then
    local meanHeldMs = tonumber(redis.call('HGET', account, 'meanHeldMs') or 1000)
    return answer('concurrency', math.max(50, meanHeldMs / math.max(1, live)))
  end
end

countInWindow(window, 1, tokens)
local allowanceNumber = holdCredits(opened, hold, unlimited)
redis.call('ZADD', leases, now + leaseMs, requestId)
redis.call('HSET', reservation, 'state', 'held', 'hold', hold, 'tokens', tokens, 'bucket', window.bucket,
  'unlimited', unlimited and 1 or 0, 'sinceMs', now, 'model', ARGV[10], 'keyId', ARGV[11], 'promptPrice', ARGV[12],
  'cachedPrice', ARGV[13], 'completionPrice', ARGV[14])
if allowanceNumber then
  redis.call('HSET', reservation, 'allowanceNumber', allowanceNumber)
end
if not unlimited then
  balance = balance - hold
end
return answer('reserved', 0)
