import type { RedisConnection } from '../redis/redis-connection.ts';
import {
  GRACE_MS,
  PERMIT_LEASE_MS,
  type PermitAnswer,
  type PermitLimits,
  type PermitStore,
  POLL_MS,
  type Ticket,
} from './permit-store.ts';

/** Longer than anything that is kept under a key counts. */
const KEPT_MS = 3_600_000;

/**
 * One answer for one who asks. The clock is that of Redis, since those of pods differ.
 *
 * `state` holds the bucket: its tokens, when that was true, and until when nothing is granted.
 * `held` are the permits by when they end, `queue` the ones who wait by the order in which they came,
 * and `places` says until when each of them keeps the place.
 */
const ASK = `
  local state, held, queue, places = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  local id, per_minute, concurrency = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
  local patience, lease, grace = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
  local poll, kept = tonumber(ARGV[7]), tonumber(ARGV[8])
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000

  redis.call('ZREMRANGEBYSCORE', held, '-inf', '(' .. now)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', places, '-inf', '(' .. now)) do
    redis.call('ZREM', queue, gone)
    redis.call('ZREM', places, gone)
  end

  local kept_state = redis.call('HMGET', state, 'tokens', 'at', 'paused_until', 'last')
  local tokens = tonumber(kept_state[1]) or per_minute
  local at = tonumber(kept_state[2]) or now
  tokens = math.min(per_minute, tokens + (now - at) * per_minute / 60000)
  local paused = math.max(0, (tonumber(kept_state[3]) or 0) - now)

  if not redis.call('ZSCORE', queue, id) then
    redis.call('ZADD', queue, redis.call('HINCRBY', state, 'last', 1), id)
  end
  local rank = redis.call('ZRANK', queue, id)
  local wait = math.max(paused, (rank + 1 - tokens) * 60000 / per_minute, 0)
  if concurrency - redis.call('ZCARD', held) <= rank then
    wait = math.max(wait, poll)
  end
  wait = math.ceil(wait)

  local answer = 'queued'
  if wait > patience then
    answer = 'refused'
    redis.call('ZREM', queue, id)
    redis.call('ZREM', places, id)
  elseif wait > 0 then
    redis.call('ZADD', places, now + wait + grace, id)
  else
    answer = 'granted'
    tokens = tokens - 1
    redis.call('ZREM', queue, id)
    redis.call('ZREM', places, id)
    redis.call('ZADD', held, now + lease, id)
  end
  redis.call('HSET', state, 'tokens', string.format('%.6f', tokens), 'at', string.format('%.3f', now))
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, kept) end
  return {answer, wait}
`;

/** One that is held no more is not held again. */
const RENEW = `
  local time = redis.call('TIME')
  local ends = time[1] * 1000 + time[2] / 1000 + tonumber(ARGV[2])
  redis.call('ZADD', KEYS[1], 'XX', ends, ARGV[1])
`;

const PAUSE = `
  local time = redis.call('TIME')
  local ends = time[1] * 1000 + time[2] / 1000 + tonumber(ARGV[1])
  local known = tonumber(redis.call('HGET', KEYS[1], 'paused_until')) or 0
  redis.call('HSET', KEYS[1], 'paused_until', string.format('%.3f', math.max(ends, known)))
  redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(tonumber(ARGV[2]), tonumber(ARGV[1]))))
`;

/** Counts in Redis, for all pods together. */
export class RedisPermits implements PermitStore {
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  async ask(ticket: Ticket, limits: PermitLimits, patienceMs: number): Promise<PermitAnswer> {
    const keys = keysOf(ticket.key);
    const answer = await this.#redis.client.eval(
      ...[ASK, keys.length, ...keys, ticket.id, limits.perMinute, limits.concurrency],
      ...[Math.floor(patienceMs), PERMIT_LEASE_MS, GRACE_MS, POLL_MS, KEPT_MS],
    );
    // What the script returns.
    const [kind, afterMs] = answer as [PermitAnswer['kind'], number];
    return { kind, afterMs };
  }

  async release({ key, id }: Ticket): Promise<void> {
    const [, ...sets] = keysOf(key);
    const pipeline = this.#redis.pipeline();
    sets.forEach((set) => {
      pipeline.zrem(set, id);
    });
    const outcomes = (await pipeline.exec()) ?? [];
    const failed = outcomes.find(([error]) => error !== null);
    if (failed?.[0]) {
      throw failed[0];
    }
  }

  async renew({ key, id }: Ticket): Promise<void> {
    const [, held] = keysOf(key);
    await this.#redis.client.eval(RENEW, 1, held, id, PERMIT_LEASE_MS);
  }

  async pause(key: string, forMs: number): Promise<void> {
    const [state] = keysOf(key);
    await this.#redis.client.eval(PAUSE, 1, state, forMs, KEPT_MS);
  }
}

/** The braces keep the keys of one connection in one slot of a cluster. */
function keysOf(key: string): [string, string, string, string] {
  const base = `permits:{${key}}`;
  return [`${base}:state`, `${base}:held`, `${base}:queue`, `${base}:places`];
}
