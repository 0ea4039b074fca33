export default { preset: '../../jest.preset.js', displayName: 'conversation-worker' };
