export default {
  preset: '../../jest.preset.js',
  displayName: 'conversation-worker',
  setupFiles: ['../../libs/testing/jest-development.js'],
};
