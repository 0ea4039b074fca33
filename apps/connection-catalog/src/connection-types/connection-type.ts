import type { CredentialPlace } from '@soma/contracts';
import { z } from 'zod';

/** The longest value of a field. */
const MAX_VALUE = 8192;
const MAX_URL = 2048;

/** What a connection's fields hold, secrets left out. */
export type FieldValues = Readonly<Record<string, unknown>>;

/** One request that costs nothing and changes nothing, by which a connection shows how it is. */
export interface HttpHealthCheck {
  /** HEAD is tried again by GET where the other side does not know it. */
  method?: 'GET' | 'HEAD' | 'POST';
  /** Below the base URL; empty for the base URL itself. */
  path: string;
  /** The credential without which there is nothing to check. */
  needs?: string;
  /** Statuses that say that it works, besides 2xx. */
  accepts?: readonly number[];
  /** Whether every answer will do but a refusal of the credential and a failure of the server. */
  anyAnswer?: boolean;
  /** What the answer's JSON says is true when it works, at APIs that answer 200 when it does not. */
  mustBeTrue?: string;
}

/** A request of ours to what a connection leads to. */
interface HttpAccess {
  /** Where it is: the field that says so, or where everybody's is. */
  baseUrl: { field: string; default?: string } | string;
  credentials: readonly CredentialPlace[];
  /** Sent with every request, as the version of an API is. */
  headers?: Readonly<Record<string, string>>;
  /** Requests go to what lies below one of these, and nowhere else. Unset: anywhere. */
  allowedPaths?: readonly string[];
  /** Unset: there is nothing to ask that costs nothing. */
  health?: HttpHealthCheck;
}

/** A kind of account that can be connected. Each is one file, named in `registry.ts`. */
export interface ConnectionType {
  /** As connections name it. */
  name: string;
  /** As people know it. */
  title: string;
  description: string;
  /** The fields, secrets among them. What is not a field is refused. */
  fields: z.ZodObject;
  /** Says what is wrong with fields that are each right. `set` names the secrets that are set. */
  check?: (fields: FieldValues, set: ReadonlySet<string>) => FieldFault[];
  /** How it is reached by HTTP; undefined for what speaks something else. */
  http?: HttpAccess;
  /**
   * Whether somebody authorises Soma at the provider, whose token then is the credential
   * `access_token`: always, or where the connection has no `token` of its own.
   */
  authorisation?: 'always' | 'possible';
  /** Requests a minute where neither the connection nor the operator says otherwise. */
  defaultRateRpm?: number;
  /** How many uses there may be at the same time, where ten are not what it bears. */
  concurrency?: number;
  /** Whether turns can be answered by it: no other type is sent a prompt. */
  offersModels?: boolean;
  /** Whether it can send us webhooks. */
  receivesWebhooks?: boolean;
}

/** What is wrong with one field. */
export interface FieldFault {
  field: string;
  message: string;
}

/** JSON Schema's mark of what is written and never read. It is ours of a secret. */
const SECRET = { writeOnly: true } as const;
/** Our mark of what credentials were given for: whoever changes it gives them again. */
const BINDING = { binds_credentials: true } as const;

/** Of webhooks that come in: they are compared, and never sent anywhere. */
export const webhookCredentials: ReadonlySet<string> = new Set([
  'signing_secret',
  'verify_token',
  'webhook_secret',
  'webhook_secret_previous',
]);

/** A text that everybody may see. */
export function textField(description: string): z.ZodString {
  return z.string().min(1).max(MAX_VALUE).meta({ description });
}

/** A credential: it is kept by the secret backend and never shown. */
export function secretField(description: string): z.ZodString {
  return z
    .string()
    .min(1)
    .max(MAX_VALUE)
    .meta({ description, ...SECRET });
}

/** An address over HTTP. Where it leads is checked whenever it is used. */
export function urlField(description: string): z.ZodURL {
  return z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .max(MAX_URL)
    .refine((text) => !hasUserInfo(text), 'must hold no user name and no password')
    .meta({ description, ...BINDING });
}

/** A name or an address of a host. */
export function hostField(description: string): z.ZodString {
  return z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9._:-]+$/, 'must be the name or the address of a host')
    .meta({ description, ...BINDING });
}

/** A TCP port. */
export function portField(description: string): z.ZodInt {
  return z
    .int()
    .min(1)
    .max(65_535)
    .meta({ description, ...BINDING });
}

/** Besides addresses: a field that decides where credentials go, or whose they are. */
export function bindingField<Schema extends z.ZodType>(schema: Schema): Schema {
  return schema.meta(BINDING);
}

/** By which a type's webhooks are verified; the previous one while they are exchanged. */
export const webhookSecretFields = {
  webhook_secret: secretField('What the webhooks of this account are signed with.').optional(),
  webhook_secret_previous: secretField(
    'The secret before it, which is good until it is removed.',
  ).optional(),
};

/** Whether a field of a type is a secret. */
export function isSecretField(type: ConnectionType, field: string): boolean {
  return markOf(type, field, 'writeOnly');
}

/** Whether credentials are given for what a field of a type says. */
export function isBindingField(type: ConnectionType, field: string): boolean {
  return markOf(type, field, 'binds_credentials');
}

function markOf(type: ConnectionType, field: string, mark: string): boolean {
  const shape = type.fields.shape as Record<string, z.ZodType | undefined>;
  const schema = Object.hasOwn(shape, field) ? shape[field] : undefined;
  return schema !== undefined && metaOf(schema)[mark] === true;
}

/** What was said about a field, also below `optional` and `default`. */
function metaOf(schema: z.core.$ZodType): Record<string, unknown> {
  const { innerType } = schema._zod.def as { innerType?: z.core.$ZodType };
  return { ...(innerType && metaOf(innerType)), ...z.globalRegistry.get(schema) };
}

function hasUserInfo(text: string): boolean {
  // What is no URL at all is refused as that.
  const url = URL.parse(text);
  return url !== null && (url.username !== '' || url.password !== '');
}
