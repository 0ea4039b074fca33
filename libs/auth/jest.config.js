export default {
  preset: '../../jest.preset.js',
  displayName: 'auth',
  setupFiles: ['../../libs/testing/jest-development.js'],
};
