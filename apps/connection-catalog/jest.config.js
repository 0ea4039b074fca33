import process from 'node:process';

// Services start without OPA and OpenFGA in development alone; the tests that have them say so.
process.env.NODE_ENV = 'development';

export default { preset: '../../jest.preset.js', displayName: 'connection-catalog' };
