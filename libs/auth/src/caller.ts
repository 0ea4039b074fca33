import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { AuditReport, Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { z } from 'zod';
import type { AuthenticatedRequest } from './authentication.guard.ts';

/** Printable ASCII. */
const idempotencyKey = z.string().regex(/^[\x20-\x7e]{1,255}$/);

/** One strong entity tag of ours (RFC 9110 §8.8.3). */
const ENTITY_TAG = /^"(\d{1,9})"$/;

/** The header of writes that create something, for the API document. */
export const idempotencyHeader = z.object({
  'Idempotency-Key': idempotencyKey.optional().meta({
    description:
      'A repeat with the same key and body, within 24 hours, answers the first answer and does ' +
      'nothing more.',
  }),
});

/** The header of changes, for the API document. */
export const ifMatchHeader = z.object({
  'If-Match': z.string().optional().meta({
    description: 'The `version` that is to be changed, in quotes. Another one is refused with 412.',
  }),
});

/** Who asks for something, from where, and in which request: what every line of the audit log has. */
export type AuditOrigin = Pick<AuditReport, 'actor' | 'request_id'>;

/** Who changes something. */
export interface Author {
  principal: Principal;
  /** For the audit log. */
  origin: AuditOrigin;
}

/** Who sends a write, and what they say of it. */
export interface Caller extends Author {
  idempotencyKey: string | undefined;
  /** The version that the caller has seen; undefined where any may be changed. */
  ifMatch: number | undefined;
}

/** Hands a controller method the {@link Caller}. */
export const CurrentCaller = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Caller => {
    const request = requestOf(context);
    return {
      ...authorOf(request),
      idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
      ifMatch: readIfMatch(request.headers['if-match']),
    };
  },
);

/** Hands a controller method the {@link Author}, where the headers of a {@link Caller} mean nothing. */
export const CurrentAuthor = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Author => authorOf(requestOf(context)),
);

function requestOf(context: ExecutionContext): AuthenticatedRequest {
  return context.switchToHttp().getRequest<AuthenticatedRequest>();
}

/** Whom the guard has let a request through for. */
export function authorOf({ principal, ip, id }: AuthenticatedRequest): Author {
  if (principal === undefined) {
    throw new Error('The route has no principal: import AuthModule in the root module.');
  }
  return {
    principal,
    origin: { actor: { subject: principal.subject, address: ip }, request_id: id },
  };
}

/** @throws {@link Problem} 400 `invalid_idempotency_key` */
export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  const { success, data } = idempotencyKey.optional().safeParse(header);
  if (!success) {
    throw new Problem({
      status: 400,
      code: 'invalid_idempotency_key',
      detail: 'The header Idempotency-Key must be 1 to 255 printable characters.',
    });
  }
  return data;
}

/** RFC 9110 §13.1.1. `*` asks for nothing but that there is something, which is checked anyway. */
function readIfMatch(header: string | undefined): number | undefined {
  if (header === undefined || header === '*') {
    return undefined;
  }
  const version = ENTITY_TAG.exec(header)?.[1];
  if (version === undefined) {
    throw new Problem({
      status: 400,
      code: 'invalid_if_match',
      detail: 'The header If-Match must be a version in quotes, as in "3".',
    });
  }
  return Number(version);
}

/** @throws {@link Problem} 412 `version_mismatch` when the caller has seen another version */
export function assertVersion({ ifMatch }: Caller, version: number): void {
  if (ifMatch !== undefined && ifMatch !== version) {
    throw new Problem({
      status: 412,
      code: 'version_mismatch',
      detail: `Somebody has changed this meanwhile: it is at version ${version}. Read it again.`,
    });
  }
}
