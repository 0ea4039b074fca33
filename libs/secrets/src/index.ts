export { Envelope, type SealContext, UnsealError } from './envelope.ts';
export { KeyedHash } from './keyed-hash.ts';
export { masterKeySetting } from './master-key-setting.ts';
