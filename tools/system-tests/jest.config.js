export default { preset: '../../jest.preset.js', displayName: 'system-tests' };
