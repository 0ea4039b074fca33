export default { preset: '../../jest.preset.js', displayName: 'check' };
