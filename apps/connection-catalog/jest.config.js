export default {
  preset: '../../jest.preset.js',
  displayName: 'connection-catalog',
  setupFiles: ['../../libs/testing/jest-development.js'],
};
