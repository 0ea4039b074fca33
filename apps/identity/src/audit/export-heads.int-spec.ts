import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { createService } from '@soma/http';
import { newIdentifier, Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { PersistenceModule, TenantTransaction } from '@soma/persistence';
import { createTestDatabase } from '@soma/testing';
import { AuditLog } from './audit-log.ts';
import { ExportHeads } from './export-heads.ts';
import { HeadExportModule } from './head-export.module.ts';

@Module({})
class ExportTests {}

describe('the daily export of heads', () => {
  const running = new AsyncDisposableStack();
  afterAll(() => running.disposeAsync());

  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soma-heads-'));
    running.defer(() => rm(folder, { recursive: true }));
  });

  it('writes each head down once a day, and the next one on the next day', async () => {
    const database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    const url = new Secret(await database.loginUrl('identity'));
    const file = join(folder, 'heads.ndjson');
    const persistence = PersistenceModule.connect({ url, sweepRole: 'identity_sweep' });
    const service = await createService({
      module: ExportTests,
      imports: [persistence, HeadExportModule.to(file)],
      providers: [AuditLog],
    });
    running.defer(() => service.close());
    const append = (tenant_id: string) =>
      service.get(TenantTransaction).run(tenant_id, (manager) =>
        service.get(AuditLog).append(manager, {
          tenant_id,
          actor: { subject: 'ann', address: null },
          action: 'api_key.created',
          target: { type: 'api_key', id: newIdentifier() },
          outcome: 'success',
          request_id: null,
          details: {},
        }),
      );
    const exportHeads = service.get(ExportHeads);
    const written = async () =>
      (await readFile(file, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);

    await append('one');
    await append('two');
    await Promise.all([exportHeads.execute(), exportHeads.execute()]);
    await append('one');
    await exportHeads.execute();

    const first = await written();
    expect(first).toHaveLength(2);
    expect(first).toContainEqual({
      tenant_id: 'one',
      seq: 1,
      hash: expect.stringMatching(/^\w{64}$/),
    });

    // As if it had been yesterday.
    await database.execute('ALTER TABLE audit.exported_heads DISABLE TRIGGER append_only');
    await database.execute('UPDATE audit.exported_heads SET day = day - 1');
    await exportHeads.execute();

    expect(await written()).toMatchObject([...first, { tenant_id: 'one', seq: 2 }]);
  });
});
