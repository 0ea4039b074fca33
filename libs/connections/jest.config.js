export default { preset: '../../jest.preset.js', displayName: 'connections' };
