--[[
  Puts a tenant's record in the place of the one that it was made from, and tells all replicas.

  Guarantee: nothing is written when the record is another one by now, so of two changes made at once none is lost. O(1).

  KEYS[1] tenants (hash)
  ARGV[1] tenant id   ARGV[2] record that was read   ARGV[3] record to write   ARGV[4] channel of changes
  Returns 1, or 0 where nothing was written
]]
local tenants = KEYS[1]
if redis.call('HGET', tenants, ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', tenants, ARGV[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[1])
return 1
