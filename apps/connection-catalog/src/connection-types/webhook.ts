import { z } from 'zod';
import {
  type ConnectionType,
  type FieldFault,
  type FieldValues,
  secretField,
  textField,
  webhookSecretFields,
} from './connection-type.ts';

/** How webhooks are verified, and what each way needs. */
const NEEDS = {
  hmac: ['webhook_secret', 'signature_header'],
  bearer: ['webhook_secret'],
  github: ['webhook_secret'],
  slack: ['signing_secret'],
  stripe: ['webhook_secret'],
  telegram: ['webhook_secret'],
  meta: ['webhook_secret', 'verify_token'],
  standard_webhooks: ['webhook_secret'],
} as const;

type Verifier = keyof typeof NEEDS;

/** Fields that a verifier may have besides those that it needs. */
const MAY_HAVE: Partial<Record<Verifier, readonly string[]>> = {
  hmac: ['algorithm', 'encoding', 'signature_prefix', 'timestamp_header'],
};

const header = (description: string): z.ZodOptional<z.ZodString> =>
  z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header')
    .meta({ description })
    .optional();

/** What sends us webhooks and is reached in no other way. */
export const webhook: ConnectionType = {
  name: 'webhook',
  title: 'Webhook',
  description: 'Somebody who sends webhooks and is not asked for anything.',
  fields: z.strictObject({
    // The keys of the record are its type's; `keys` forgets that.
    verifier: z.enum(Object.keys(NEEDS) as [Verifier, ...Verifier[]]).meta({
      description: 'How it is made sure that a webhook is from there.',
    }),
    ...webhookSecretFields,
    signing_secret: secretField('The signing secret of a Slack app.').optional(),
    verify_token: secretField('What Meta repeats when a webhook is set up.').optional(),
    algorithm: z
      .enum(['sha256', 'sha512', 'sha1'])
      .optional()
      .meta({ description: 'Of hmac: the hash. Default: sha256.' }),
    encoding: z
      .enum(['hex', 'base64'])
      .optional()
      .meta({ description: 'Of hmac: how the signature is written. Default: hex.' }),
    signature_header: header('Of hmac: the header with the signature.'),
    signature_prefix: textField('Of hmac: what stands before it, as in `sha256=`.').optional(),
    timestamp_header: header('Of hmac: the header with the second that is signed too.'),
  }),
  check: checkVerifier,
  receivesWebhooks: true,
};

function checkVerifier(fields: FieldValues, set: ReadonlySet<string>): FieldFault[] {
  // The schema has made sure that it is one.
  const verifier = fields['verifier'] as Verifier;
  const needs: readonly string[] = NEEDS[verifier];
  const allowed = [
    ...needs,
    ...(MAY_HAVE[verifier] ?? []),
    'verifier',
    ...(needs.includes('webhook_secret') ? ['webhook_secret_previous'] : []),
  ];
  const given = [...Object.keys(fields), ...set];
  return [
    ...needs
      .filter((field) => !given.includes(field))
      .map((field) => ({ field, message: `must be set for the verifier ${verifier}` })),
    ...given
      .filter((field) => !allowed.includes(field))
      .map((field) => ({ field, message: `is not of the verifier ${verifier}` })),
  ];
}
