import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { textSetting } from '@soma/kernel';
import { z } from 'zod';
import { askJson, below } from './ask-json.ts';
import type { Probe } from './probe.ts';

const settings = z.object({
  OPA_URL: z.url('must be a URL'),
  /** `--policy` on the command line. */
  POLICY_BUNDLE_FILE: textSetting.optional(),
});

/** A request that no policy can know. */
const UNKNOWN = {
  method: 'PROBE',
  path: '/no/such/route',
  principal: { subject: 'probe', tenant_id: 'probe', role: null, scopes: [] },
  tenant: 'probe',
  resource: { type: 'nothing', id: null },
};

const manifest = z.object({ revision: z.string() });
const loaded = z.object({ result: z.record(z.string(), z.object({ manifest })).optional() });
const decision = z.object({ result: z.unknown().optional() });

/**
 * Whether the agent has the policies that were deployed, and denies what they do not know. An agent
 * without policies answers nothing, which is not a denial.
 */
export const opa: Probe<typeof settings> = {
  check: 'opa',
  settings,
  ask: async ({ OPA_URL: url, POLICY_BUNDLE_FILE: file }, signal) => {
    const bundles = below(url, '/v1/data/system/bundles');
    const { result = {} } = await askJson({ url: bundles, signal }, loaded);
    const revisions = Object.values(result).map((bundle) => bundle.manifest.revision);
    if (revisions.length === 0) {
      throw new Error('It has loaded no bundle.');
    }
    if (file !== undefined) {
      await expectRevision(revisions, file);
    }
    const asked = { url: below(url, '/v1/data/http/authz/allow'), signal };
    const { result: allowed } = await askJson({ ...asked, body: { input: UNKNOWN } }, decision);
    if (allowed !== false) {
      const answer = allowed === undefined ? 'nothing' : JSON.stringify(allowed);
      throw new Error(`It answers ${answer} to an unknown request, where it must deny.`);
    }
    return { revision: revisions.join(', ') };
  },
};

async function expectRevision(revisions: string[], file: string): Promise<void> {
  // Only the manifest is read: `-O` puts it on the standard output.
  const { stdout } = await promisify(execFile)('tar', ['-xzOf', file, '/.manifest']);
  const { revision } = manifest.parse(JSON.parse(stdout));
  if (!revisions.includes(revision)) {
    throw new Error(`It has loaded ${revisions.join(', ')}, and the bundle is ${revision}.`);
  }
}
