import type { AccessRule } from '@soma/auth';

/** To read a session and what happens in it. */
export const READ_SESSION: AccessRule = {
  scope: 'sessions:read',
  resource: 'session',
  relation: 'reader',
};

/** To change a session that is there. */
export const WRITE_SESSION: AccessRule = {
  scope: 'sessions:write',
  resource: 'session',
  relation: 'writer',
};

/** To act on a session that the body names. */
export const ACT_ON_SESSION: AccessRule = { ...WRITE_SESSION, id: 'body.session_id' };

/** To say something in a session, which then begins where there is none. */
export const SPEAK_IN_SESSION: AccessRule = { ...ACT_ON_SESSION, mayBeNew: true };
