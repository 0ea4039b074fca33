import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import {
  Access,
  type Caller,
  CurrentCaller,
  CurrentPrincipal,
  idempotencyHeader,
  StepUp,
} from '@soma/auth';
import {
  apiKey,
  type ApiKey,
  apiKeyList,
  type ApiKeyList,
  apiKeyListQuery,
  type ApiKeyListQuery,
  createApiKeyRequest,
  type CreateApiKeyRequest,
  createdApiKey,
  type CreatedApiKey,
  type Principal,
  rotateApiKeyRequest,
  type RotateApiKeyRequest,
  toPage,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor, TenantTransaction } from '@soma/persistence';
import { z } from 'zod';
import { ApiKeys } from './api-keys.ts';
import { CreateApiKey } from './create-api-key.ts';
import { RevokeApiKey } from './revoke-api-key.ts';
import { RotateApiKey } from './rotate-api-key.ts';

const unavailable = { 503: ['database_unavailable'] };
const missing = { 404: ['api_key_not_found'] };
/** Of people: a key outlives whoever found a browser open. */
const stepUp = { 401: ['step_up_required'] };
const asItIs =
  'The key is the secret of an OAuth client whose id is `key_id`: exchange it for access tokens at `POST /oauth/token`.';

@Controller('v1/api-keys')
@UseInterceptors(FaultInterceptor)
export class ApiKeysController {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly keys: ApiKeys,
    private readonly createKey: CreateApiKey,
    private readonly rotateKey: RotateApiKey,
    private readonly revokeKey: RevokeApiKey,
  ) {}

  @Post()
  @Access({ scope: 'api_keys:write', resource: 'api_key' })
  @StepUp()
  @Operation({
    summary: 'Create an API key',
    description: `The answer shows the key, this once. ${asItIs}`,
    headers: idempotencyHeader,
    bodyExample: { name: 'Ticket bot', scopes: ['sessions:read', 'sessions:write'] },
    answer: createdApiKey,
    problems: {
      ...stepUp,
      403: ['scope_exceeds_own'],
      404: ['service_account_not_found', 'tenant_not_found'],
      409: ['idempotency_conflict'],
      422: ['expiry_passed'],
      ...unavailable,
    },
  })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createApiKeyRequest }) request: CreateApiKeyRequest,
  ): Promise<CreatedApiKey> {
    return this.createKey.execute(caller, request);
  }

  @Get()
  @Access({ scope: 'api_keys:read', resource: 'api_key' })
  @Operation({ summary: 'List API keys', answer: apiKeyList, problems: unavailable })
  async list(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Query({ schema: apiKeyListQuery }) { limit, cursor }: ApiKeyListQuery,
  ): Promise<ApiKeyList> {
    const keys = await this.transaction.run(tenant_id, (manager) =>
      this.keys.list(manager, tenant_id, { limit: limit + 1, cursor }),
    );
    const { items, next_cursor } = toPage(keys, limit, ({ key_id }) => key_id);
    return { api_keys: items, next_cursor };
  }

  @Get(':id')
  @Access({ scope: 'api_keys:read', resource: 'api_key' })
  @Operation({
    summary: 'Look an API key up',
    answer: apiKey,
    problems: { ...missing, ...unavailable },
  })
  find(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param('id', { schema: z.uuid() }) id: string,
  ): Promise<ApiKey> {
    return this.transaction.run(tenant_id, (manager) => this.keys.find(manager, tenant_id, id));
  }

  @Post(':id/rotate')
  @Access({ scope: 'api_keys:write', resource: 'api_key' })
  @StepUp()
  @Operation({
    summary: 'Replace an API key',
    description: 'The answer shows the new key, this once. For the overlap both are good.',
    headers: idempotencyHeader,
    bodyExample: { overlap_seconds: 3600 },
    answer: createdApiKey,
    problems: {
      ...stepUp,
      403: ['scope_exceeds_own'],
      ...missing,
      409: ['api_key_ended', 'idempotency_conflict'],
      ...unavailable,
    },
  })
  rotate(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: z.uuid() }) keyId: string,
    @Body({ schema: rotateApiKeyRequest }) request: RotateApiKeyRequest,
  ): Promise<CreatedApiKey> {
    return this.rotateKey.execute(caller, { keyId, ...request });
  }

  @Delete(':id')
  @HttpCode(204)
  @Access({ scope: 'api_keys:write', resource: 'api_key' })
  @StepUp()
  @Operation({
    summary: 'Revoke an API key',
    description: 'Within a second no service takes a token that the key was exchanged for.',
    problems: { ...stepUp, ...missing, ...unavailable },
  })
  revoke(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: z.uuid() }) id: string,
  ): Promise<void> {
    return this.revokeKey.execute(caller, id);
  }
}
