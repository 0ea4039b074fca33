import { Controller, Get, Param, Post, Req, Res, UseInterceptors } from '@nestjs/common';
import { Access } from '@soma/auth';
import { clientIdentifier } from '@soma/contracts';
import { Operation, StreamsBody } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CapsuleRegistry } from './capsule-registry.ts';
import { InstallCapsule } from './install-capsule.ts';

/** Dots alone would lead out of the registry's folder. */
const capsuleId = clientIdentifier.refine((id) => !/^\.+$/.test(id), 'must not be dots alone');

const problems = {
  502: ['upstream_unreachable'],
  503: ['capsules_not_configured'],
  504: ['upstream_timeout'],
};

// The second path is from before paths had a version.
@Controller(['v1/capsules', 'capsules'])
export class CapsulesController {
  constructor(
    private readonly registry: CapsuleRegistry,
    private readonly installCapsule: InstallCapsule,
  ) {}

  @Get()
  @Access({ scope: 'capsules:read', resource: 'capsule' })
  @Operation({ summary: 'List capsules', description: 'As the registry answers it.', problems })
  list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.registry.forward('/capsules', request, reply);
  }

  @Get(':id')
  @Access({ scope: 'capsules:read', resource: 'capsule' })
  @Operation({
    summary: 'Fetch a capsule',
    description: 'The bundle as the registry sends it, digest and signature headers included.',
    problems,
  })
  fetch(
    @Param('id', { schema: capsuleId }) id: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.registry.forward(`/capsules/${id}`, request, reply);
  }

  @Post(':id/install')
  @Access({ scope: 'capsules:install', resource: 'capsule' })
  @StreamsBody()
  @UseInterceptors(FaultInterceptor)
  @Operation({
    summary: 'Install a capsule',
    description: 'As the registry answers it.',
    problems: { ...problems, 503: [...problems[503], 'database_unavailable'] },
  })
  install(
    @Param('id', { schema: capsuleId }) id: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.installCapsule.execute(id, request, reply);
  }
}
