/*
 * What credentials are given for.
 *
 * Nobody reads a credential without a second factor; so nobody may have it sent to himself without
 * knowing it. Whoever changes where the credentials of a connection go gives all of them again, or
 * removes them. What another party has authorised ends with such a change (RFC 8707 §2: a token is for
 * one resource).
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Problem } from '@soma/kernel';
import {
  type ConnectionType,
  type FieldValues,
  isBindingField,
  webhookCredentials,
} from '../connection-types/connection-type.ts';
import type { CurrentFields, FieldChange } from './connection-fields.ts';

/** The fields by which a change has the credentials of a connection be for something else. */
export function reboundFields(
  type: ConnectionType,
  { before, input }: { before: FieldValues; input: FieldValues },
  { plain }: Pick<FieldChange, 'plain'>,
): string[] {
  return Object.keys(input).filter(
    (field) => isBindingField(type, field) && !isDeepStrictEqual(before[field], plain[field]),
  );
}

/**
 * @param rebound - Of {@link reboundFields}.
 * @throws {@link Problem} 422 `credentials_needed_again` that names those that are not given
 */
export function assertGivenAgain(
  { set }: CurrentFields,
  { written, removed }: FieldChange,
  rebound: readonly string[],
): void {
  const kept = [...set].filter(
    (field) => !webhookCredentials.has(field) && !written.has(field) && !removed.includes(field),
  );
  if (rebound.length > 0 && kept.length > 0) {
    throw new Problem({
      status: 422,
      code: 'credentials_needed_again',
      detail:
        `A change of ${rebound.join(', ')} has the credentials of this connection go somewhere else. ` +
        'Give them again in the same request, or remove them with null.',
      fields: kept.map((field) => ({
        path: `fields.${field}`,
        message: 'must be given again, or be null',
      })),
    });
  }
}

/** Tells apart what credentials are for: two of the same are for the same. */
export function bindingOf(type: ConnectionType, fields: FieldValues): string {
  const bound = Object.entries(fields)
    .filter(([field, value]) => value !== undefined && isBindingField(type, field))
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(bound)).digest('base64url');
}
