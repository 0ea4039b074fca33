import { AsyncLocalStorage } from 'node:async_hooks';

/** What the lines of one piece of work have in common. Each field stands in every line of it. */
export interface LogContext {
  /** The outside system that the work talks to, as in `anthropic`. */
  integration?: string;
  tenant_id?: string;
  session_id?: string;
  request_id?: string;
}

const storage = new AsyncLocalStorage<LogContext>();

/** Runs a piece of work, waits included, so that its log lines carry the fields. */
export function withLogContext<Result>(fields: LogContext, work: () => Result): Result {
  return storage.run({ ...storage.getStore(), ...fields }, work);
}

/** Adds fields to the work that runs now, as soon as they are known. Outside of any it does nothing. */
export function addLogContext(fields: LogContext): void {
  const context = storage.getStore();
  if (context !== undefined) {
    Object.assign(context, fields);
  }
}

/** The fields of the work that runs now. */
export function currentLogContext(): Readonly<LogContext> | undefined {
  return storage.getStore();
}
