import { z } from 'zod';

/** What a line of cloudflared's log says, as far as it matters here. */
export type CloudflaredEvent =
  | { type: 'connected' }
  /** The host names that lead to the tunnel, as they were set at Cloudflare. */
  | { type: 'configured'; hostnames: string[] }
  | { type: 'error'; message: string };

const logLine = z.object({
  level: z.string().optional(),
  message: z.string(),
  config: z.string().optional(),
  error: z.string().optional(),
});

const configuration = z.object({
  ingress: z.array(z.object({ hostname: z.string().optional() })).default([]),
});

/**
 * Reads a line of what `cloudflared --output json` writes on standard error. Some of its libraries
 * write lines of another form there, which say nothing.
 */
export function readLogLine(line: string): CloudflaredEvent | undefined {
  const { success, data } = logLine.safeParse(parseJson(line));
  if (!success) {
    return undefined;
  }
  const { level, message, config = '', error } = data;
  if (message === 'Registered tunnel connection') {
    return { type: 'connected' };
  }
  if (message === 'Updated to new configuration') {
    return { type: 'configured', hostnames: hostnamesOf(config) };
  }
  const isError = level === 'error' || level === 'fatal';
  return isError
    ? { type: 'error', message: [message, error].filter(Boolean).join(': ') }
    : undefined;
}

function hostnamesOf(config: string): string[] {
  const { data } = configuration.safeParse(parseJson(config));
  // What matches every host has no name, or begins with a star.
  return (data?.ingress ?? []).flatMap(({ hostname = '' }) =>
    hostname === '' || hostname.startsWith('*') ? [] : [hostname],
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
