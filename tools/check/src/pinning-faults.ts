import { z } from 'zod';

const manifest = z.object({
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
});

const EXACT_VERSION = /^\d+\.\d+\.\d+(-[\w.]+)?$/;
const PINNED_ACTION = /@([0-9a-f]{40}|v?\d+\.\d+\.\d+)$/;
const PINNED_IMAGE = /:[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?$/;

/**
 * What a file takes from elsewhere without saying which version exactly: npm packages, actions of
 * a workflow, base images.
 */
export function pinningFaults(path: string, text: string): string[] {
  if (path.endsWith('package.json')) return looseDependencies(text);
  if (path.endsWith('Dockerfile')) return looseImages(text);
  return [...looseActions(text), ...looseNamedImages(text)];
}

function looseDependencies(text: string): string[] {
  const { dependencies, devDependencies } = manifest.parse(JSON.parse(text));
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([name, version]) => !name.startsWith('@soma/') && !EXACT_VERSION.test(version))
    .map(([name, version]) => `${name} is not pinned to one version (${version})`);
}

function looseActions(text: string): string[] {
  return captures(text, /\buses:\s*([^\s#]+)/g)
    .filter((action) => !action.startsWith('./') && !PINNED_ACTION.test(action))
    .map((action) => `${action} is not pinned to a commit or an exact version`);
}

function looseNamedImages(text: string): string[] {
  return captures(text, /^\s*image:\s*(\S+)/gm).flatMap(looseImage);
}

/** A stage that builds on an earlier one names no image. */
function looseImages(text: string): string[] {
  const stages = captures(text, /^FROM\s+\S+\s+AS\s+(\S+)/gim);
  return captures(text, /^FROM\s+(\S+)/gim)
    .filter((image) => !stages.includes(image))
    .flatMap(looseImage);
}

function looseImage(image: string): string[] {
  return PINNED_IMAGE.test(image) ? [] : [`${image} is not pinned to a version`];
}

function captures(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, capture = '']) => capture);
}
