import { globSync } from 'node:fs';
import preset from './jest.preset.js';

/**
 * `npm test`: all projects in one run, and not one after the other by Nx. Its workers take file by
 * file, so that none is left with a long project when the others are done.
 */
export default {
  projects: globSync('{apps,libs,infra,tools}/*/jest.config.js', { cwd: import.meta.dirname }),
  // More than a machine of two cores has: tests wait for servers most of their time.
  maxWorkers: 3,
  // Node keeps the modules of every file that a worker has run; beyond this it is replaced.
  workerIdleMemoryLimit: '1GB',
  // Jest takes it from the run, not from its projects.
  testTimeout: preset.testTimeout,
  testSequencer: '<rootDir>/libs/testing/jest-sequencer.js',
};
