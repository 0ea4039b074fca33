import type { AccessResource, AccessScope } from '@soma/contracts';

/** What somebody can be to one thing, beyond what they are to its tenant. */
export type ObjectRelation = 'reader' | 'writer';

/** Who may use a route. Without a rule nobody may. */
export interface AccessRule {
  /**
   * What the credential must be good for. Null where everybody who has signed in may act on what is
   * their own, such as their second factors.
   */
  scope: AccessScope | null;
  /** What kind of thing the request is about. */
  resource: AccessResource;
  /**
   * What the caller must be to the thing that the request names. Without it, what the scope needs of
   * the tenant is enough: whoever has it may use every such thing of the tenant.
   */
  relation?: ObjectRelation;
  /** Where the request names the thing. Default: `params.id`. */
  id?: 'params.id' | 'params.name' | 'body.session_id';
  /** Whether the request may name a thing that is not there yet; it then becomes the caller's. */
  mayBeNew?: boolean;
}
