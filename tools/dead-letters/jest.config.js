export default { preset: '../../jest.preset.js', displayName: 'dead-letters' };
