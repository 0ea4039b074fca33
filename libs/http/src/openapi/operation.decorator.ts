import { SetMetadata } from '@nestjs/common';
import type { z } from 'zod';

const OPERATION = 'soma:operation';
const UNDOCUMENTED = 'soma:undocumented';

/**
 * What the API document says about a route beyond what stands there already: method, path, status
 * and the schemas of body, query and parameters are read from Nest's own decorators.
 */
export interface OperationOptions {
  /** A few words, as in `Send a message`. */
  summary: string;
  description?: string;
  /** Shape of the answer's body; of one event for a stream. Without it there is none. */
  answer?: z.ZodType;
  /** `application/json` unless said otherwise. */
  answerType?: string;
  answerExample?: unknown;
  bodyExample?: unknown;
  /** Request headers that the route reads, each optional or not as the schema says. */
  headers?: z.ZodObject;
  /** Codes of the problems that only this route answers, by status. */
  problems?: Record<number, string[]>;
  /** Whether it needs no credential. */
  public?: boolean;
}

/** Describes a route for the API document. A service with a route that lacks it does not start. */
export const Operation = (options: OperationOptions): MethodDecorator =>
  SetMetadata(OPERATION, options);

/** Keeps a route, or a controller's routes, out of the API document: internal ones and aliases. */
export const Undocumented = (): ClassDecorator & MethodDecorator => SetMetadata(UNDOCUMENTED, true);

/** Reads what {@link Operation} said. */
export function operationOf(handler: object): OperationOptions | undefined {
  return Reflect.getMetadata(OPERATION, handler) as OperationOptions | undefined;
}

/** Whether {@link Undocumented} stands on a controller or a handler. */
export function isUndocumented(target: object): boolean {
  return Reflect.getMetadata(UNDOCUMENTED, target) === true;
}
