import { type CustomDecorator, SetMetadata } from '@nestjs/common';

/** The metadata that {@link Public} leaves on a controller or a method. */
export const PUBLIC = 'soma:public';

/** Opens a route, or every route of a controller, to requests without a credential. */
export const Public = (): CustomDecorator => SetMetadata(PUBLIC, true);
