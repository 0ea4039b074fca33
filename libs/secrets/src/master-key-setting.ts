import { loadConfig, Secret, secretSetting } from '@soma/kernel';
import { z } from 'zod';
import { decodeMasterKey } from './master-key.ts';

const aMasterKey = secretSetting.refine(
  isMasterKey,
  'must be 32 random bytes in base64, as `openssl rand -base64 32` prints',
);

/** The setting `SOMA_MASTER_KEY` of a service that stores secrets. */
export const masterKeySetting = aMasterKey.describe(
  'Key that wraps the keys of stored secrets: 32 bytes in base64.',
);

/** The setting `SOMA_MASTER_KEY_OTHERS`, for the time in which one master key replaces another. */
export const otherMasterKeysSetting = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(aMasterKey))
  .default([])
  .meta({ secret: true })
  .describe(
    'Master keys that secrets are only read with, between commas: the one before `SOMA_MASTER_KEY`, or the one that comes next.',
  );

/** The keys that a process seals and reads with. */
export interface MasterKeys {
  current: Secret;
  others: readonly Secret[];
}

/**
 * Reads the master key from the variable that the operator named, and the others from that with
 * `_OTHERS` behind it; each may stand in a file.
 *
 * @throws {@link ConfigError} when one is missing or is no master key.
 */
export function loadMasterKeys(
  name: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): MasterKeys {
  const schema = z.object({ [name]: masterKeySetting, [`${name}_OTHERS`]: otherMasterKeysSetting });
  const settings = loadConfig(schema, environment);
  return masterKeys.parse({ current: settings[name], others: settings[`${name}_OTHERS`] });
}

const masterKeys = z.object({
  current: z.instanceof(Secret),
  others: z.array(z.instanceof(Secret)),
});

function isMasterKey(masterKey: Secret): boolean {
  try {
    decodeMasterKey(masterKey);
    return true;
  } catch {
    return false;
  }
}
