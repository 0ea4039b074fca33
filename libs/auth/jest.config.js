export default { preset: '../../jest.preset.js', displayName: 'auth' };
