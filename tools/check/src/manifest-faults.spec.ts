import { describe, expect, it } from '@jest/globals';
import type { SettingDescription } from '@soma/kernel';
import { manifestFaults } from './manifest-faults.ts';

function setting(name: string, more: Partial<SettingDescription> = {}): SettingDescription {
  const rest = { default: undefined, required: false, secret: false, unit: undefined };
  return { name, description: '', ...rest, ...more };
}

const services = [
  {
    name: 'gateway',
    settings: [
      setting('LOG_LEVEL'),
      setting('SHUTDOWN_GRACE_SECONDS', { default: '25' }),
      setting('REDIS_URL', { secret: true }),
      setting('SOMA_MASTER_KEY', { secret: true, required: true }),
    ],
  },
];

/** A Deployment of the gateway that has what it needs, and these variables. */
function deployment(variables: Record<string, string>, grace = 35): string {
  const all = { SOMA_MASTER_KEY_FILE: '/run/secrets/soma/SOMA_MASTER_KEY', ...variables };
  const env = Object.entries(all).map(([name, value]) => ({ name, value }));
  const gateway = { name: 'gateway', image: 'registry.example.com/soma-gateway:1', env };
  const pod = { terminationGracePeriodSeconds: grace, containers: [gateway] };
  return JSON.stringify({ kind: 'Deployment', spec: { template: { spec: pod } } });
}

describe('manifestFaults', () => {
  it('has nothing against known settings, secrets in files and a URL without a user', () => {
    const manifests = deployment({ LOG_LEVEL: 'info', REDIS_URL: 'redis://redis:6379' });
    expect(manifestFaults(`kind: Service\n---\n${manifests}`, services)).toEqual([]);
  });

  it.each([
    [{ LOG_LEVLE: 'info' }, 'gateway: it has no setting LOG_LEVLE'],
    [{ LOG_LEVEL_FILE: '/etc/level' }, 'gateway: it has no setting LOG_LEVEL_FILE'],
    [
      { REDIS_URL: 'redis://:pw@redis' },
      'gateway: REDIS_URL is a secret and stands in plain sight',
    ],
    [{ SOMA_MASTER_KEY: 'a2V5' }, 'gateway: SOMA_MASTER_KEY is a secret and stands in plain sight'],
  ])('finds %j', (variables, fault) => {
    expect(manifestFaults(deployment(variables), services)).toEqual([fault]);
  });

  it('knows nothing of the settings of programs of others', () => {
    const manifests = deployment({ LOG_LEVLE: 'info' }).replace('soma-gateway', 'envoy');
    expect(manifestFaults(manifests, services)).toEqual([]);
  });

  it('finds a required setting that is missing', () => {
    const manifests = deployment({}).replaceAll('SOMA_MASTER_KEY', 'REDIS_URL');
    expect(manifestFaults(manifests, services)).toEqual(['gateway: SOMA_MASTER_KEY is not set']);
  });

  it('finds a pod that is killed while its service may still be stopping', () => {
    const fault = 'gateway: it is killed after 35 s and may need 31 s to stop';
    const manifests = deployment({ SHUTDOWN_GRACE_SECONDS: '31' });
    expect(manifestFaults(manifests, services)).toEqual([fault]);
  });
});
