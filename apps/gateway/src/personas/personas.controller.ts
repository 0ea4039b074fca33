import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import {
  Access,
  type Author,
  CurrentAuthor,
  CurrentPrincipal,
  idempotencyHeader,
} from '@soma/auth';
import {
  clientIdentifier,
  createPersonaRequest,
  type CreatePersonaRequest,
  persona,
  type Persona,
  personaList,
  type PersonaList,
  personaListQuery,
  type PersonaListQuery,
  type Principal,
  updatePersonaRequest,
  type UpdatePersonaRequest,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { Personas } from '@soma/sessions';
import { personaExample, personaListExample } from '../api-examples.ts';
import { type Caller, CurrentCaller } from '../runtime/caller.ts';
import { CreatePersona } from './create-persona.ts';
import { RemovePersona } from './remove-persona.ts';
import { UpdatePersona } from './update-persona.ts';

const modelProblems = ['model_not_available', 'model_retired', 'model_parameter_not_supported'];
const unavailable = { 503: ['database_unavailable'] };

@Controller('v1/personas')
@UseInterceptors(FaultInterceptor)
export class PersonasController {
  constructor(
    private readonly personas: Personas,
    private readonly createPersona: CreatePersona,
    private readonly updatePersona: UpdatePersona,
    private readonly removePersona: RemovePersona,
  ) {}

  @Get()
  @Access({ scope: 'personas:read', resource: 'persona' })
  @Operation({
    summary: 'List personas',
    answer: personaList,
    answerExample: personaListExample,
    problems: unavailable,
  })
  list(
    @CurrentPrincipal() principal: Principal,
    @Query({ schema: personaListQuery }) query: PersonaListQuery,
  ): Promise<PersonaList> {
    return this.personas.list(principal.tenant_id, query);
  }

  @Post()
  @Access({ scope: 'personas:write', resource: 'persona' })
  @Operation({
    summary: 'Create a persona',
    headers: idempotencyHeader,
    bodyExample: {
      persona_id: 'helpdesk',
      name: 'Help desk',
      instructions: 'Answer briefly, and name the article that you rely on.',
    },
    answer: persona,
    answerExample: personaExample,
    problems: {
      400: ['invalid_idempotency_key'],
      409: ['persona_exists', 'idempotency_conflict'],
      422: modelProblems,
      ...unavailable,
    },
  })
  create(
    @CurrentAuthor() author: Author,
    @CurrentCaller() { idempotencyKey }: Caller,
    @Body({ schema: createPersonaRequest }) request: CreatePersonaRequest,
  ): Promise<Persona> {
    return this.createPersona.execute(author, request, idempotencyKey);
  }

  @Get(':id')
  @Access({ scope: 'personas:read', resource: 'persona' })
  @Operation({
    summary: 'Look a persona up',
    answer: persona,
    answerExample: personaExample,
    problems: { 404: ['persona_not_found'], ...unavailable },
  })
  find(
    @CurrentPrincipal() principal: Principal,
    @Param('id', { schema: clientIdentifier }) id: string,
  ): Promise<Persona> {
    return this.personas.find(principal.tenant_id, id);
  }

  @Patch(':id')
  @Access({ scope: 'personas:write', resource: 'persona' })
  @Operation({
    summary: 'Change a persona',
    description:
      'What is absent stays; null goes back to the default. A repeat changes nothing more, so no ' +
      '`Idempotency-Key` is needed.',
    bodyExample: { temperature: 0.2, model: null },
    answer: persona,
    answerExample: personaExample,
    problems: { 404: ['persona_not_found'], 422: modelProblems, ...unavailable },
  })
  update(
    @CurrentAuthor() author: Author,
    @Param('id', { schema: clientIdentifier }) id: string,
    @Body({ schema: updatePersonaRequest }) request: UpdatePersonaRequest,
  ): Promise<Persona> {
    return this.updatePersona.execute(author, id, request);
  }

  @Delete(':id')
  @Access({ scope: 'personas:write', resource: 'persona' })
  @HttpCode(204)
  @Operation({
    summary: 'Delete a persona',
    description: 'A repeat answers 404 and changes nothing more.',
    problems: { 404: ['persona_not_found'], ...unavailable },
  })
  remove(
    @CurrentAuthor() author: Author,
    @Param('id', { schema: clientIdentifier }) id: string,
  ): Promise<void> {
    return this.removePersona.execute(author, id);
  }
}
