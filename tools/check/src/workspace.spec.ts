import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { workspace } from './paths.ts';

const launchFile = z.object({
  configurations: z.array(
    z.object({ name: z.string(), runtimeExecutable: z.string(), runtimeArgs: z.array(z.string()) }),
  ),
});
const nxFile = z.object({
  plugins: z.array(
    z.union([
      z.string(),
      z.object({
        plugin: z.string(),
        include: z.array(z.string()),
        options: z.object({ build: z.object({ configName: z.string() }) }),
      }),
    ]),
  ),
});

function read<Shape extends z.ZodType>(file: string, shape: Shape): z.output<Shape> {
  return shape.parse(JSON.parse(readFileSync(join(workspace, file), 'utf8')));
}

describe('the workspace', () => {
  it('starts each app from the editor, with a debugger', () => {
    const { configurations } = read('.vscode/launch.json', launchFile);
    const commands = configurations.map(({ name, runtimeExecutable, runtimeArgs }) => [
      name,
      [runtimeExecutable, ...runtimeArgs].join(' '),
    ]);
    const apps = readdirSync(join(workspace, 'apps'));
    expect(Object.fromEntries(commands)).toEqual(
      Object.fromEntries(apps.map((app) => [app, `npx nx serve ${app} --inspect`])),
    );
  });

  it('builds and tests every project: Nx finds how by their files', () => {
    const builders = read('nx.json', nxFile).plugins.filter((plugin) => typeof plugin !== 'string');
    const { workspaces } = read('package.json', z.object({ workspaces: z.array(z.string()) }));
    const projects = globSync(workspaces, { cwd: workspace, exclude: ['**/*.*'] });
    const without = projects.filter((project) => {
      const folder = `${dirname(project)}/**`;
      const builder = builders.find(({ include }) => include.includes(folder));
      const files = [builder?.options.build.configName ?? 'no builder', 'jest.config.js'];
      return files.some((name) => !existsSync(join(workspace, project, name)));
    });
    expect(projects.length).toBeGreaterThan(20);
    expect(without).toEqual([]);
  });
});
