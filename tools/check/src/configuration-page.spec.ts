import { describe, expect, it } from '@jest/globals';
import { describeConfig, integerSetting, secretSetting, textSetting } from '@soma/kernel';
import { z } from 'zod';
import { configurationPage } from './configuration-page.ts';

const shared = { KEY: secretSetting.optional().describe('A key.') };
const page = configurationPage([
  {
    name: 'one',
    settings: describeConfig(
      z.object({ ...shared, WAIT: integerSetting({ default: 5, unit: 'ms' }).describe('a|b') }),
    ),
  },
  {
    name: 'two',
    settings: describeConfig(z.object({ ...shared, NAME: textSetting.describe('Its name.') })),
  },
]);

describe('configurationPage', () => {
  it('lists what several services read once, with its readers', () => {
    expect(page.match(/`KEY`/g)).toHaveLength(1);
    expect(page).toContain('| `KEY` (secret) |  | A key. | one, two |');
  });

  it('lists the rest under its service, with unit or as required', () => {
    expect(page).toContain('| `WAIT` | `5` ms | a\\|b |');
    expect(page).toContain('| `NAME` | **required** | Its name. |');
    expect(page.indexOf('## two')).toBeLessThan(page.indexOf('`NAME`'));
  });
});
