import { Module } from '@nestjs/common';
import { ForwardingController } from './forwarding.controller.ts';
import { Upstreams } from './upstreams.ts';

/** What partners reach at the gateway's address and other apps serve. */
@Module({ controllers: [ForwardingController], providers: [Upstreams] })
export class ForwardingModule {}
