import { z } from 'zod';
import { Secret } from './secret.ts';

/** What a setting's schema says about it besides its type; see {@link describeConfig}. */
export interface SettingMeta {
  /** One sentence for the person who operates the service. */
  description?: string | undefined;
  /** The unit of a number, as in `ms`. */
  unit?: string;
  /** The value is never printed, and `<NAME>_FILE` may name a file that holds it. */
  secret?: boolean;
  /** An empty variable is a value of its own; of other settings it means "not set". */
  emptyIsValue?: boolean;
}

/** Bounds and default of a whole number. Without a default it must be set. */
export interface IntegerSettingOptions {
  default?: number;
  min?: number;
  max?: number;
  /** As in `ms`, for the printed table. */
  unit?: string;
}

const MUST_BE_SET = 'must be set';

/** Text that must be set. */
export const textSetting = z.string({ error: MUST_BE_SET });

/** A required setting that must never be printed. */
export const secretSetting = z
  .string({ error: MUST_BE_SET })
  .transform((value) => new Secret(value))
  .meta({ secret: true } satisfies SettingMeta);

/** A switch: `true` or `false`. */
export function booleanSetting(defaultValue: boolean): z.ZodType<boolean> {
  return z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .transform((value) => value === 'true')
    .default(defaultValue);
}

/** A whole number. */
export function integerSetting(options: IntegerSettingOptions): z.ZodType<number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER, unit } = options;
  const number = z
    .string({ error: MUST_BE_SET })
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .meta({ ...(unit !== undefined && { unit }) } satisfies SettingMeta);
  return options.default === undefined ? number : number.default(options.default);
}

/** A time in milliseconds, one or more. */
export function durationMsSetting(defaultMs: number): z.ZodType<number> {
  return integerSetting({ default: defaultMs, min: 1, max: 2 ** 31 - 1, unit: 'ms' });
}

/** A TCP port. 0 takes any that is free. */
export function portSetting(defaultPort: number): z.ZodType<number> {
  return integerSetting({ default: defaultPort, min: 0, max: 65_535 });
}

/** Values between commas. */
export function listSetting(defaultValues: string[] = []): z.ZodType<string[]> {
  return z
    .string()
    .transform((text) => text.split(',').map((value) => value.trim()))
    .pipe(z.array(z.string().min(1, 'has an empty value between its commas')))
    .default(defaultValues);
}

/** The URL of something that an empty variable turns off. */
export function optionalUrlSetting(defaultUrl?: string): z.ZodType<string | undefined> {
  return z
    .union([z.literal(''), z.url({ error: 'must be a URL, or empty' })])
    .default(defaultUrl ?? '')
    .transform((url) => (url === '' ? undefined : url))
    .meta({ emptyIsValue: true } satisfies SettingMeta);
}
