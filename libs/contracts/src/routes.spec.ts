import { describe, expect, it } from '@jest/globals';
import { appServing, routeTable } from './routes.ts';

describe('appServing', () => {
  it.each([...routeTable])('finds what is at and below %s', (prefix, app) => {
    expect(appServing(prefix)).toBe(app);
    expect(appServing(`${prefix}/`)).toBe(app);
    expect(appServing(`${prefix}/a/b/c/d`)).toBe(app);
  });

  it('lets the longest prefix win', () => {
    expect(appServing('/oauth/token')).toBe('identity');
    expect(appServing('/api/v1/oauth/callback')).toBe('connection-catalog');
  });

  it.each(['/', '', '/v1', '/api/v1', '/v1/session/tools', '/v1/toolshed', '/oauthx', '//oauth'])(
    'leaves "%s" to the gateway',
    (path) => {
      expect(appServing(path)).toBeUndefined();
    },
  );

  it('has no prefix that ends within a segment', () => {
    expect([...routeTable.keys()].filter((prefix) => !/^(\/[a-z0-9.-]+)+$/.test(prefix))).toEqual(
      [],
    );
  });
});
