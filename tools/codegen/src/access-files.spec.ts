import { describe, expect, it } from '@jest/globals';
import { accessPage, type DeclaredRoute, policyData } from './access-files.ts';

const send: DeclaredRoute = {
  kind: 'access',
  method: 'POST',
  path: '/v1/session/message',
  rule: { scope: 'sessions:write', resource: 'session', relation: 'writer', mayBeNew: true },
};
const routes: DeclaredRoute[] = [
  send,
  { kind: 'public', method: 'GET', path: '/v1/health' },
  { kind: 'forwarded', method: 'GET', path: '/v1/members' },
];

describe('what is made from the declared routes', () => {
  it('is the data of the policies: only what a rule guards', () => {
    expect(policyData(routes)).toMatchObject({
      routes: { 'POST /v1/session/message': { scope: 'sessions:write', resource: 'session' } },
    });
    expect(JSON.stringify(policyData(routes))).not.toContain('/v1/health');
  });

  it('is a page that says what a caller needs to be, and what is open', () => {
    const page = accessPage(new Map([['gateway', routes]]));
    expect(page).toContain('| `POST /v1/session/message` | `sessions:write` |');
    expect(page).toContain('writer of the session; ');
    expect(page).toContain('Open to everybody: `GET /v1/health`.');
    expect(page).not.toContain('/v1/members');
  });
});
