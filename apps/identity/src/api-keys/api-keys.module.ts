import { Module } from '@nestjs/common';
import { ApiKeysController } from './api-keys.controller.ts';
import { ApiKeys } from './api-keys.ts';
import { CreateApiKey } from './create-api-key.ts';
import { KeyRevocations } from './key-revocations.ts';
import { RevokeApiKey } from './revoke-api-key.ts';
import { RotateApiKey } from './rotate-api-key.ts';

/** The keys by which programs of partners reach Soma. */
@Module({
  controllers: [ApiKeysController],
  providers: [ApiKeys, CreateApiKey, KeyRevocations, RevokeApiKey, RotateApiKey],
  exports: [KeyRevocations],
})
export class ApiKeysModule {}
