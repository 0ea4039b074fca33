import { Module } from '@nestjs/common';
import { ApiKeyClients } from './api-key-clients.ts';

/** Lets the authorisation server take API keys for its clients. */
@Module({ providers: [ApiKeyClients], exports: [ApiKeyClients] })
export class ApiKeyExchangeModule {}
