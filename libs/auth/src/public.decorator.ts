import { type CustomDecorator, SetMetadata } from '@nestjs/common';

/** The metadata that {@link Public} and {@link Forwarded} leave on a controller or a method. */
export const PUBLIC = 'soma:public';

/** The metadata of what other services alone may use. */
export const INTERNAL = 'soma:internal';

/**
 * Opens a route, or every route of a controller, to requests without a credential. Beside an
 * `@Access` it says that the route finds out itself who asks, and then asks `AccessControl`.
 */
export const Public = (): CustomDecorator => SetMetadata(PUBLIC, true);

/** Passes requests on as they are, because the app behind the route says itself who may use it. */
export const Forwarded = (): CustomDecorator => SetMetadata(PUBLIC, 'forwarded');
