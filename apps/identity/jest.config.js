export default {
  preset: '../../jest.preset.js',
  displayName: 'identity',
  setupFiles: ['../../libs/testing/jest-development.js'],
};
