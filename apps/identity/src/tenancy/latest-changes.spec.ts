import { describe, expect, it } from '@jest/globals';
import { latestChanges, type RelationshipChange } from './latest-changes.ts';

function change(relation: string, is_removed: boolean): RelationshipChange {
  return { change_id: '1', subject: 'user:ann', relation, object: 'tenant:acme', is_removed };
}

describe('latestChanges', () => {
  it('writes what a change of roles leaves', () => {
    const { writes, deletes } = latestChanges([change('member', true), change('admin', false)]);

    expect(writes).toEqual([{ user: 'user:ann', relation: 'admin', object: 'tenant:acme' }]);
    expect(deletes).toEqual([{ user: 'user:ann', relation: 'member', object: 'tenant:acme' }]);
  });

  it('names a relationship once, however often it came and went', () => {
    const added = [change('member', true), change('member', false)];
    const removed = [...added, change('member', true)];

    expect(latestChanges(added)).toMatchObject({ writes: [{ relation: 'member' }], deletes: [] });
    expect(latestChanges(removed)).toMatchObject({ writes: [], deletes: [{ relation: 'member' }] });
  });
});
