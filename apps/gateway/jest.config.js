export default {
  preset: '../../jest.preset.js',
  displayName: 'gateway',
  setupFiles: ['../../libs/testing/jest-development.js'],
};
