import { createPrivateKey } from 'node:crypto';
import { type Secret, secretSetting, textSetting } from '@soma/kernel';
import { z } from 'zod';

/** The directory of all personal accounts at Microsoft, in which anyone may have one. */
const PERSONAL_ACCOUNTS = '9188040d-6c67-4c5b-b112-36a304b66dad';

const client = (title: string) =>
  textSetting
    .optional()
    .describe(`Client id of Soma at ${title}. Set: people may sign in with ${title}.`);
const clientSecret = (title: string) =>
  secretSetting.optional().describe(`Secret of that client at ${title}.`);

/** The settings of the providers that people may sign in with. */
export const providerSettings = {
  GITHUB_CLIENT_ID: client('GitHub'),
  GITHUB_CLIENT_SECRET: clientSecret('GitHub'),
  GOOGLE_CLIENT_ID: client('Google'),
  GOOGLE_CLIENT_SECRET: clientSecret('Google'),
  MICROSOFT_CLIENT_ID: client('Microsoft'),
  MICROSOFT_CLIENT_SECRET: clientSecret('Microsoft'),
  MICROSOFT_TENANT_ID: z
    .uuid("must be the directory's id (a UUID): in `common` anyone may claim any e-mail address")
    .refine(
      (id) => id.toLowerCase() !== PERSONAL_ACCOUNTS,
      "must be the id of a directory of your own: that is everybody's personal accounts",
    )
    .optional()
    .describe('Id of the Microsoft Entra directory whose people may sign in.'),
  APPLE_CLIENT_ID: client('Apple'),
  APPLE_CLIENT_SECRET: secretSetting
    .optional()
    .describe('A client secret that was signed elsewhere, in place of the three below.'),
  APPLE_TEAM_ID: textSetting.optional().describe('Id of the Apple developer team.'),
  APPLE_KEY_ID: textSetting.optional().describe('Id of the key for Sign in with Apple.'),
  APPLE_PRIVATE_KEY: secretSetting
    .refine(isSigningKey, 'must be a P-256 private key in PKCS #8 (PEM), as Apple gives it out')
    .optional()
    .describe('That key, with which Soma signs its client secret.'),
};

export type ProviderConfig = z.output<z.ZodObject<typeof providerSettings>>;

type SettingName = keyof ProviderConfig;

const SIGNED_SECRET: SettingName[] = ['APPLE_TEAM_ID', 'APPLE_KEY_ID', 'APPLE_PRIVATE_KEY'];

/** What each provider needs. One of which nothing is set is not offered. */
const SETS: SettingName[][] = [
  ['GITHUB_CLIENT_ID', 'GITHUB_CLIENT_SECRET'],
  ['GOOGLE_CLIENT_ID', 'GOOGLE_CLIENT_SECRET'],
  ['MICROSOFT_CLIENT_ID', 'MICROSOFT_CLIENT_SECRET', 'MICROSOFT_TENANT_ID'],
];

/** Refuses half a set: whoever wrote it meant to offer the provider. */
export function checkProviderSets(config: ProviderConfig, context: z.RefinementCtx): void {
  for (const set of [...SETS, appleSet(config)]) {
    const missing = set.filter((name) => config[name] === undefined);
    if (missing.length === set.length) {
      continue;
    }
    for (const name of missing) {
      const message = `must be set beside ${set.filter((each) => each !== name).join(', ')}`;
      context.addIssue({ code: 'custom', path: [name], message });
    }
  }
  if (config.APPLE_CLIENT_SECRET !== undefined && isAnySet(config, SIGNED_SECRET)) {
    const message = `is set beside ${SIGNED_SECRET.join(', ')}; unset it or those`;
    context.addIssue({ code: 'custom', path: ['APPLE_CLIENT_SECRET'], message });
  }
}

function appleSet(config: ProviderConfig): SettingName[] {
  return config.APPLE_CLIENT_SECRET !== undefined
    ? ['APPLE_CLIENT_ID', 'APPLE_CLIENT_SECRET']
    : ['APPLE_CLIENT_ID', ...SIGNED_SECRET];
}

function isAnySet(config: ProviderConfig, names: SettingName[]): boolean {
  return names.some((name) => config[name] !== undefined);
}

function isSigningKey(privateKey: Secret): boolean {
  try {
    const { asymmetricKeyDetails } = createPrivateKey(privateKey.reveal());
    return asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}
