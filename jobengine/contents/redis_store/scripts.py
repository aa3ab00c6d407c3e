"""What runs inside Redis: one script that does a commit or refuses it, two that read through an index.

They know no elements and no documents: a commit is guards and commands that were made outside. Each script
says by its flags what may run when the memory of the server is used up; without room a commit is refused
before its first step.
"""

from __future__ import annotations

from typing import Final

DONE: Final = b"done"
LOST: Final = b"lost"

_COMMIT: Final = """
local arguments, at = ARGV, 1
local function take()
  at = at + 1
  return arguments[at - 1]
end
local commit, remembered_ms = take(), take()
if redis.call('GET', KEYS[1]) == commit then return 'done' end
for _ = 1, tonumber(take()) do
  local key, stamp = take(), take()
  if redis.call('GETRANGE', key, 0, 15) ~= stamp then return 'stale' end
end
local staged = {}
for n = 1, tonumber(take()) do
  staged[n] = take()
  if redis.call('EXISTS', staged[n]) == 0 then return 'lost' end
end
for _, key in ipairs(staged) do redis.call('PERSIST', key) end
while at <= #arguments do
  local count = tonumber(take())
  redis.call(unpack(arguments, at, at + count - 1))
  at = at + count
end
redis.call('SET', KEYS[1], commit, 'PX', remembered_ms)
redis.call('INCR', KEYS[2])
return 'done'
"""

COMMIT: Final = "#!lua\n" + _COMMIT
"""Keys: marker, version. Arguments: id of the commit, milliseconds to remember it, guards (their number, then
key and stamp of each), staged keys (their number, then each), then commands, each after the number of its
words. ``done``: done now or by an earlier try; ``stale``: a guarded value has another stamp; ``lost``: a
staged key is there no longer. Only ``done`` has changed anything."""

RELEASE: Final = "#!lua flags=allow-oom\n" + _COMMIT
"""The same for commits that only let things go: they are wanted most when memory is short."""

ROWS: Final = """#!lua flags=no-writes
local members = redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
if not members then return {{}, {}} end
if type(members) == 'string' then members = {members} end
if #members == 0 then return {{}, {}} end
local sequences = {}
for n, member in ipairs(members) do sequences[n] = string.sub(member, -8) end
return {sequences, redis.call('HMGET', KEYS[2], unpack(sequences))}
"""
"""Keys: index, rows. Arguments: a reading command and what follows its key. Two lists: the sequences
that the found members end with, and their rows."""
