import { Global, Module } from '@nestjs/common';
import { ACCESS_OBJECTS } from '@soma/auth';
import { SessionObjects } from './session-objects.ts';

/** What the guard of all routes needs to know of this app's things. */
@Global()
@Module({
  providers: [{ provide: ACCESS_OBJECTS, useClass: SessionObjects }],
  exports: [ACCESS_OBJECTS],
})
export class AccessModule {}
