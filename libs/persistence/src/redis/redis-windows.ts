import { hash } from 'node:crypto';
import { type Quota, type QuotaGrant, WINDOW_PARTS } from '@soma/kernel';
import type { RedisConnection } from './redis-connection.ts';

/** So many requests, of one quota. */
export interface Demand {
  key: string;
  quota: Quota;
  wanted: number;
}

/**
 * The windows of `SlidingWindows` in the kernel, word for word, kept where all pods count together.
 * A window is a hash of its parts, and ends with them. Redis tells the time, so that the pods' clocks
 * do not matter, and runs the script as one step.
 */
const SCRIPT = `
  local limit, windowMs, wanted, parts = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local partMs = windowMs / parts
  local present = math.floor(now / partMs)
  local used, oldest = 0, present
  local counts = redis.call('HGETALL', KEYS[1])
  for index = 1, #counts, 2 do
    local part = tonumber(counts[index])
    if part < present - parts then
      redis.call('HDEL', KEYS[1], counts[index])
    else
      used = used + tonumber(counts[index + 1])
      oldest = math.min(oldest, part)
    end
  end
  local granted = math.max(0, math.min(wanted, limit - used))
  if granted > 0 then
    redis.call('HINCRBY', KEYS[1], string.format('%.0f', present), granted)
    redis.call('PEXPIRE', KEYS[1], math.ceil(windowMs + partMs))
  end
  return {granted, math.max(0, limit - used - granted), math.ceil((oldest + 1) * partMs + windowMs - now)}
`;
const DIGEST = hash('sha1', SCRIPT);

type Outcome = [error: Error | null, result: unknown];

/** Asks for several quotas in one round trip. */
export async function takeFromRedis(
  redis: RedisConnection,
  demands: readonly Demand[],
): Promise<QuotaGrant[]> {
  const pipeline = redis.pipeline();
  for (const demand of demands) {
    pipeline.evalsha(DIGEST, 1, ...argumentsOf(demand));
  }
  const outcomes = (await pipeline.exec()) ?? [];
  // A Redis that has been restarted does not know the script any more.
  const isUnknown = outcomes.some(([error]) => error?.message.startsWith('NOSCRIPT'));
  return (isUnknown ? await teach(redis, demands) : outcomes).map(toGrant);
}

/** In one pipeline each command runs in its turn, so that a repeat takes what nobody was granted. */
async function teach(redis: RedisConnection, demands: readonly Demand[]): Promise<Outcome[]> {
  const pipeline = redis.pipeline();
  for (const demand of demands) {
    pipeline.eval(SCRIPT, 1, ...argumentsOf(demand));
  }
  return (await pipeline.exec()) ?? [];
}

function argumentsOf({ key, quota, wanted }: Demand): [string, ...number[]] {
  return [key, quota.limit, quota.windowMs, wanted, WINDOW_PARTS];
}

function toGrant([error, result]: Outcome): QuotaGrant {
  if (error !== null) {
    throw error;
  }
  // What the script returns.
  const [granted, remaining, resetMs] = result as [number, number, number];
  return { granted, remaining, resetMs };
}
