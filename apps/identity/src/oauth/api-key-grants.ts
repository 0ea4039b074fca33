import type {
  Adapter,
  AdapterPayload,
  Client,
  ClientMetadata,
  JWTStructured,
  KoaContextWithOIDC,
} from 'oidc-provider';
import type { ApiKeyClients, KeyClient } from '../api-keys/api-key-clients.ts';
import type { RegisteredClient } from './registered-clients.ts';

/** What the metadata of a client that is an API key says of it, beside its registration. */
type KeyRegistration = RegisteredClient & { key: KeyClient };

/** The API key that a client is, if it is one. */
export function keyOf(client: Client): KeyClient | undefined {
  // `metadataOf` puts it there, and `createProvider` for other clients none.
  return (client['soma'] as Partial<KeyRegistration> | undefined)?.key;
}

/** How long a token of a client may be good: no longer than the key that it was exchanged for. */
export function keyTokenSeconds(client: Client | undefined, longest: number): number {
  const endsAtMs = client && keyOf(client)?.ends_at_ms;
  if (endsAtMs === undefined || endsAtMs === null) {
    return longest;
  }
  const left = Math.floor((endsAtMs - Date.now()) / 1000);
  return Math.max(1, Math.min(longest, left));
}

/** A key speaks for its service account, which stays the same when keys are replaced. */
export function speakForServiceAccount(
  _context: KoaContextWithOIDC,
  token: { client?: Client | undefined },
  { payload }: JWTStructured,
): void {
  const key = token.client && keyOf(token.client);
  if (key !== undefined) {
    payload['sub'] = key.service_account_id;
  }
}

/** Lets oidc-provider find the keys among its clients. It registers none. */
export class ApiKeyAdapter implements Adapter {
  constructor(private readonly keys: ApiKeyClients) {}

  async find(id: string): Promise<AdapterPayload | undefined> {
    const key = await this.keys.find(id);
    return key && metadataOf(key);
  }

  upsert(): Promise<void> {
    return Promise.reject(new Error('Clients are not registered here.'));
  }

  findByUid(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  findByUserCode(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  consume(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    return Promise.resolve();
  }

  revokeByGrantId(): Promise<void> {
    return Promise.resolve();
  }
}

function metadataOf(key: KeyClient): ClientMetadata {
  const { key_id: client_id, secret_hash, tenant_id, scopes } = key;
  const registration: KeyRegistration = {
    type: 'service',
    client_id,
    client_secret_hash: secret_hash,
    tenant_id,
    scopes,
    // Keys are for partners, whose address is the gateway's.
    audiences: ['gateway'],
    key,
  };
  return {
    client_id,
    // The provider asks for a secret to be there; `ApiKeyClients.accepts` compares.
    client_secret: secret_hash,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    soma: registration,
  };
}
