import type { AccessResource } from '@soma/contracts';
import type { Problem } from '@soma/kernel';

/** What an app knows of the things that its rules name a relation to. */
export interface AccessObjects {
  /** The subject that a thing belongs to; null where there is no such thing. */
  ownerOf: (resource: AccessResource, tenantId: string, id: string) => Promise<string | null>;
  /** What is answered where there is no such thing, and to those who may not know that there is. */
  notFound: (resource: AccessResource, id: string) => Problem;
}

/** Under this token an app provides its {@link AccessObjects}. */
export const ACCESS_OBJECTS = Symbol('ACCESS_OBJECTS');
