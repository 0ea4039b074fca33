import { loadConfig, Secret } from '@soma/kernel';
import type { z } from 'zod';

/** One question to one server that Soma depends on. */
export interface Probe<Schema extends z.ZodObject> {
  /** The server's name in the report. */
  check: string;
  /** The environment variables that it reads, as the services do. */
  settings: Schema;
  /** @returns What else is worth telling. @throws When the server cannot be used. */
  ask: (config: z.output<Schema>, signal: AbortSignal) => Promise<object>;
}

/** What a probe prints: one line of JSON. */
export interface ProbeReport {
  check: string;
  ok: boolean;
  /** How long the answer took, in milliseconds. */
  latency_ms: number;
  error?: string;
}

/** A server that has not answered by then does not answer. */
const LIMIT_MS = 10_000;

/** Puts the question once. A fault becomes part of the report, and no secret does. */
export async function runProbe<Schema extends z.ZodObject>(
  { check, settings, ask }: Probe<Schema>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ProbeReport> {
  const started = performance.now();
  const latency = () => Math.round(performance.now() - started);
  let secrets: string[] = [];
  try {
    const config = loadConfig(settings, environment);
    secrets = secretsOf(config);
    const signal = AbortSignal.timeout(LIMIT_MS);
    const detail = await Promise.race([ask(config, signal), rejectOn(signal)]);
    return { check, ok: true, latency_ms: latency(), ...detail };
  } catch (error) {
    return { check, ok: false, latency_ms: latency(), error: mask(sentenceOf(error), secrets) };
  }
}

/** Drivers do not all take a signal, so the limit does not rely on them. */
function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error(`No answer within ${LIMIT_MS / 1000} s.`));
    });
  });
}

/** Every secret setting, and the password within those that are URLs. */
function secretsOf(config: object): string[] {
  const values = Object.values(config).filter((value) => value instanceof Secret);
  return values.flatMap((secret) => {
    const text = secret.reveal();
    const password = URL.canParse(text) ? new URL(text).password : '';
    return [text, password, decodeURIComponent(password)].filter((part) => part !== '');
  });
}

function mask(text: string, secrets: string[]): string {
  return secrets.reduce((masked, secret) => masked.replaceAll(secret, '[secret]'), text);
}

/** Node reports a refused connection to several addresses as an error without a message. */
function sentenceOf(error: unknown): string {
  if (!isError(error)) {
    return String(error);
  }
  if ('errors' in error && Array.isArray(error.errors)) {
    return error.errors.map(sentenceOf).join('; ');
  }
  const cause = isError(error.cause) ? `: ${sentenceOf(error.cause)}` : '';
  return `${error.message}${cause}`;
}

/** Not by `instanceof`: where tests run, `fetch` throws errors of another realm. */
function isError(value: unknown): value is Error {
  return Object.prototype.toString.call(value) === '[object Error]';
}
