-- What a tenant used on one day, in one hash: `<count>:<model>`, and the same by key as `key:<key id>:<count>:<model>`.
local function countUsage(usage, model, keyId, promptTokens, cachedTokens, completionTokens, charge, keptMs)
  for _, field in ipairs({ '', 'key:' .. keyId .. ':' }) do
    redis.call('HINCRBY', usage, field .. 'requests:' .. model, 1)
    redis.call('HINCRBY', usage, field .. 'promptTokens:' .. model, promptTokens)
    redis.call('HINCRBY', usage, field .. 'cachedTokens:' .. model, cachedTokens)
    redis.call('HINCRBY', usage, field .. 'completionTokens:' .. model, completionTokens)
    redis.call('HINCRBY', usage, field .. 'microcredits:' .. model, charge)
  end
  redis.call('PEXPIRE', usage, keptMs)
end
