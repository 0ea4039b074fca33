import { All, Controller, Req, Res } from '@nestjs/common';
import { Public } from '@soma/auth';
import { routeTable } from '@soma/contracts';
import { StreamsBody, Undocumented } from '@soma/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Upstreams } from './upstreams.ts';

const PATHS = [...routeTable.keys()].flatMap((prefix) => [prefix, `${prefix}/*`]);

// Public, because the app behind a route says itself who may use it.
@Public()
@Undocumented()
@Controller()
export class ForwardingController {
  constructor(private readonly upstreams: Upstreams) {}

  @All(PATHS)
  @StreamsBody()
  forward(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.upstreams.forward(request, reply);
  }
}
