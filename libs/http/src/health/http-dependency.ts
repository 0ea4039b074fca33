import type { Dependency } from './health-checks.ts';

/** An optional dependency that is well while its URL answers with a status below 400. */
export function httpDependency({ name, url }: { name: string; url: string }): Dependency {
  return {
    name,
    required: false,
    check: async (signal) => {
      const response = await fetch(url, { signal, redirect: 'manual' });
      await response.body?.cancel();
      if (response.status >= 400) {
        throw new Error(`answered ${response.status}`);
      }
    },
  };
}
