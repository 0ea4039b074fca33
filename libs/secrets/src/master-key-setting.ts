import { type Secret, secretSetting } from '@soma/kernel';
import { decodeMasterKey } from './master-key.ts';

/** The setting `SOMA_MASTER_KEY` of a service that stores secrets. */
export const masterKeySetting = secretSetting
  .refine(isMasterKey, 'must be 32 random bytes in base64, as `openssl rand -base64 32` prints')
  .describe('Key that wraps the keys of stored secrets: 32 bytes in base64.');

function isMasterKey(masterKey: Secret): boolean {
  try {
    decodeMasterKey(masterKey);
    return true;
  } catch {
    return false;
  }
}
