--[[
  Puts the first queued request of a tenant that is due a seat before all others, for a worker whose seats are all held and
  that is about to take it. Tenants are asked in order of their first request's tag, without those named, which have their
  share on this worker.

  Guarantee: atomic; nothing changes when there is none. A worker that dies before it takes the request leaves it to the next
  that asks for work, or that summons it anew. O(log n) for each tenant named, and O(requests in `wait`), which are those that
  were summoned and not yet taken, and stalled ones.

  KEYS[1] lines (sorted set)   KEYS[2] BullMQ's prioritized (sorted set)   KEYS[3] BullMQ's wait (list)
  KEYS[4] BullMQ's marker (sorted set)
  ARGV[1] room in sequences   ARGV[2] prefix of BullMQ's jobs   ARGV[3…] tenants that have their share
  Returns { job id, choices }, or nothing
]]
--@include line
local lines = KEYS[1]
local prioritizedJobs = KEYS[2]
local waitJobs = KEYS[3]
local marker = KEYS[4]
local room = tonumber(ARGV[1])
local jobPrefix = ARGV[2]
-- A tenant's first request may be on its way into the queue, or out of it.
local TENANTS_MORE = 8
local REQUESTS_EACH = 4

local haveShare = {}
for index = 3, #ARGV do
  haveShare[ARGV[index]] = true
end
for _, tenant in ipairs(redis.call('ZRANGE', lines, 0, #ARGV - 3 + TENANTS_MORE)) do
  if not haveShare[tenant] then
    for _, requestId in ipairs(redis.call('ZRANGE', lineKey(lines, tenant), 0, REQUESTS_EACH - 1)) do
      -- Only first attempts stand in line.
      local jobId = requestId .. '-1'
      -- In `wait` it was summoned before, and nobody took it.
      if redis.call('ZSCORE', prioritizedJobs, jobId) or redis.call('LPOS', waitJobs, jobId) then
        local choices = tonumber(string.match(redis.call('HGET', jobPrefix .. jobId, 'data') or '', '"choices":(%d+)') or 1)
        if choices <= room then
          if redis.call('ZREM', prioritizedJobs, jobId) == 0 then
            redis.call('LREM', waitJobs, -1, jobId)
          end
          redis.call('RPUSH', waitJobs, jobId)
          redis.call('ZADD', marker, 0, '0')
          return { jobId, choices }
        end
      end
    end
  end
end
return nil
