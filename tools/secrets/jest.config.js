export default { preset: '../../jest.preset.js', displayName: 'secrets-tool' };
