import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuditFallbackFile } from './audit-fallback-file.ts';

describe('AuditFallbackFile', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soma-audit-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('hands out what was appended, so many at once, and forgets it', async () => {
    const file = new AuditFallbackFile(join(folder, 'all'));
    await file.append(['a', 'b']);
    await file.append(['c']);
    const taken: string[][] = [];
    const take = (lines: string[]) => {
      taken.push(lines);
      return Promise.resolve();
    };

    await file.drain(2, take);
    await file.drain(2, take);

    expect(taken).toEqual([['a', 'b'], ['c']]);
  });

  it('keeps all lines when some cannot be taken', async () => {
    const file = new AuditFallbackFile(join(folder, 'kept'));
    await file.append(['a', 'b', 'c']);
    const failing = file.drain(2, (lines) =>
      lines.includes('c') ? Promise.reject(new Error('cut off')) : Promise.resolve(),
    );
    await expect(failing).rejects.toThrow('cut off');

    const taken: string[] = [];
    await file.drain(9, (lines) => {
      taken.push(...lines);
      return Promise.resolve();
    });

    expect(taken).toEqual(['a', 'b', 'c']);
  });
});
