import { describe, expect, it } from '@jest/globals';
import { installedTool } from '@soma/testing';
import { runCommand } from './run-command.ts';

// `npm run check` builds it where it is missing, which takes minutes.
const helm = installedTool('helm');
const describeChart = helm === undefined ? describe.skip : describe;

function render(...settings: string[]): Promise<string> {
  const set = settings.flatMap((setting) => ['--set', setting]);
  return runCommand(helm ?? '', ['template', 'soma', 'infra/helm/soma', ...set]);
}

describeChart('the chart (skipped where helm is not installed)', () => {
  it('refuses a setting that no service has, or not the one it is given to', async () => {
    const nobody = render('settings.LOG_LEVLE=info');
    await expect(nobody).rejects.toThrow('no service has a setting LOG_LEVLE');
    const other = render('apps.identity.settings.MAX_TURNS=1');
    await expect(other).rejects.toThrow('identity has no setting MAX_TURNS');
  });

  it('P8: refuses a secret among the plain settings', async () => {
    const refusal = 'SLM_API_KEY is a secret: name it under secrets';
    await expect(render('settings.SLM_API_KEY=abc')).rejects.toThrow(refusal);
    await expect(render('settings.REDIS_URL=redis://:pw@host')).rejects.toThrow('is a secret');
  });

  it('refuses to deploy a service without a setting that it needs', async () => {
    const refusal = 'identity needs SOMA_MASTER_KEY';
    const keyless = render('apps.identity.secrets.SOMA_MASTER_KEY=null');
    await expect(keyless).rejects.toThrow(refusal);
  });
});
