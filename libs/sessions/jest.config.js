export default { preset: '../../jest.preset.js', displayName: 'sessions' };
