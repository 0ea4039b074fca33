export default { preset: '../../jest.preset.js', displayName: 'provision' };
