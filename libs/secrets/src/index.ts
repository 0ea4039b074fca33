export { Envelope, type SealContext, UnsealError } from './envelope.ts';
export { masterKeySetting } from './master-key-setting.ts';
