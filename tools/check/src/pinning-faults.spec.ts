import { describe, expect, it } from '@jest/globals';
import { pinningFaults } from './pinning-faults.ts';

const SHA = '11bd71901bbe5b1630ceea73d27597364c9af683';

describe('pinningFaults', () => {
  it('takes exact versions, and our own packages, in package.json', () => {
    const text = JSON.stringify({
      dependencies: { zod: '4.6.7', '@soma/kernel': '*', beta: '18.4.0-beta.17' },
      devDependencies: { jest: '^30.5.2' },
    });
    const fault = 'jest is not pinned to one version (^30.5.2)';
    expect(pinningFaults('libs/kernel/package.json', text)).toEqual([fault]);
  });

  it.each([
    [`uses: actions/checkout@${SHA} # v4.2.2`, 0],
    ['uses: actions/checkout@v4.2.2', 0],
    ['uses: ./.github/actions/prepare', 0],
    ['uses: actions/checkout@v4', 1],
    ['uses: actions/checkout@main', 1],
  ])('judges the workflow line "%s"', (line, faults) => {
    expect(pinningFaults('.github/workflows/ci.yml', `steps:\n  - ${line}\n`)).toHaveLength(faults);
  });

  it('takes base images with a version and earlier stages in a Dockerfile', () => {
    const text =
      'FROM node:24.21.0-slim AS build\nFROM build AS app\nFROM node:latest\nFROM debian';
    expect(pinningFaults('infra/docker/Dockerfile', text)).toEqual([
      'node:latest is not pinned to a version',
      'debian is not pinned to a version',
    ]);
  });

  it('finds a loose image in a compose file', () => {
    const text = 'services:\n  a:\n    image: redis:7.4\n  b:\n    image: redis:latest\n';
    expect(pinningFaults('infra/compose/compose.yaml', text)).toHaveLength(1);
  });
});
