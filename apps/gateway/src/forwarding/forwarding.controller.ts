import { All, Controller, Req, Res } from '@nestjs/common';
import { Forwarded } from '@soma/auth';
import { routeTable } from '@soma/contracts';
import { StreamsBody, Undocumented } from '@soma/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Upstreams } from './upstreams.ts';

const PATHS = [...routeTable.keys()].flatMap((prefix) => [prefix, `${prefix}/*`]);

@Forwarded()
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
