import javascript from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import { defineConfig } from 'eslint/config';
import typescript from 'typescript-eslint';

/** Which libraries each library may import. This is the table of `docs/architecture.md`. */
const layers = {
  kernel: [],
  contracts: ['kernel'],
  observability: ['kernel'],
  persistence: ['kernel', 'contracts', 'observability'],
  messaging: ['kernel', 'contracts', 'observability', 'persistence'],
  http: ['kernel', 'contracts', 'observability'],
  auth: ['kernel', 'contracts', 'http'],
  connections: ['kernel', 'contracts', 'http', 'auth'],
  sessions: ['kernel', 'contracts', 'persistence'],
  secrets: ['kernel'],
  llm: ['kernel', 'contracts', 'observability'],
  migrations: ['kernel', 'persistence'],
  // It starts real servers and imports no library, so that every library's tests may use it.
  testing: [],
};

/** npm packages that one library wraps. Everyone else goes through that library. */
const doors = [
  { owner: 'auth', name: 'jose' },
  { owner: 'auth', name: '@openfga/sdk' },
  { owner: 'http', name: '@nestjs/platform-fastify' },
  { owner: 'kernel', name: 'uuid' },
  { owner: 'kernel', name: 'cockatiel' },
  { owner: 'llm', name: 'ai' },
  { owner: 'messaging', name: 'kafkajs' },
  { owner: 'observability', name: 'pino' },
  { owner: 'observability', name: 'prom-client' },
  { owner: 'observability', name: '@opentelemetry/api' },
  { owner: 'persistence', name: 'ioredis' },
  { owner: 'persistence', name: 'pg' },
  { owner: 'persistence', name: 'typeorm', importNames: ['DataSource'] },
  { owner: 'secrets', name: '@aws-sdk/client-secrets-manager' },
  { owner: 'secrets', name: 'google-auth-library' },
];

const libraries = Object.keys(layers);
const forTestsOnly = ['testing', 'migrations'];

function moduleBoundaries({ forTests }) {
  const scopes = (names) =>
    [...names, ...(forTests ? forTestsOnly : [])].map((name) => `scope:${name}`);
  const depConstraints = [
    ...libraries.map((name) => ({
      sourceTag: `scope:${name}`,
      onlyDependOnLibsWithTags: scopes(layers[name]),
    })),
    {
      sourceTag: 'type:app',
      onlyDependOnLibsWithTags: scopes(libraries.filter((name) => !forTestsOnly.includes(name))),
    },
    { sourceTag: 'type:tool', onlyDependOnLibsWithTags: scopes(libraries) },
  ];
  return ['error', { depConstraints }];
}

function closedDoors({ except }) {
  const paths = doors
    .filter(({ owner }) => owner !== except)
    .map(({ owner, name, importNames }) => ({
      name,
      ...(importNames && { importNames }),
      message: `Only libs/${owner} imports this. Use what @soma/${owner} exports`,
    }));
  return ['error', { paths }];
}

export default defineConfig(
  { ignores: ['**/dist', '**/coverage', '.nx'] },
  javascript.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [typescript.configs.strictTypeChecked, typescript.configs.stylisticTypeChecked],
    plugins: { '@nx': nx },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@nx/enforce-module-boundaries': moduleBoundaries({ forTests: false }),
      '@typescript-eslint/no-restricted-imports': closedDoors({ except: 'none' }),
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // A Nest module is a class whose decorator is its content.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // Nest and TypeORM declare plain options and rows as classes.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      complexity: ['error', 8],
      'max-depth': ['error', 2],
      'max-lines-per-function': ['error', { max: 30, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': [
        'error',
        {
          selector:
            ':matches(FunctionDeclaration, ArrowFunctionExpression, MethodDefinition:not([kind="constructor"]) > FunctionExpression)[params.length>3]',
          message: 'More than three parameters: take an object.',
        },
        {
          // What is injected is named by its type, so its order cannot be mixed up.
          selector: 'MethodDefinition[kind="constructor"] > FunctionExpression[params.length>6]',
          message: 'More than six dependencies: the class does more than one thing.',
        },
        {
          selector:
            'TemplateElement[value.raw=/WHERE\\s+(\\w+ IS NULL\\s+AND\\s+)?\\w+ <= clock_timestamp/]',
          message: 'No index is searched for clock_timestamp(): ask by statement_timestamp().',
        },
      ],
    },
  },
  libraries.map((name) => ({
    files: [`libs/${name}/**/*.ts`],
    rules: { '@typescript-eslint/no-restricted-imports': closedDoors({ except: name }) },
  })),
  {
    files: [
      ...['**/*.spec.ts', '**/*.int-spec.ts', '**/spec-support.ts', '**/*.contract.ts'],
      ...['libs/testing/**/*.ts', 'tools/**/*.ts'],
    ],
    rules: {
      '@nx/enforce-module-boundaries': moduleBoundaries({ forTests: true }),
      '@typescript-eslint/no-restricted-imports': 'off',
      'max-lines-per-function': 'off',
    },
  },
  prettier,
);
