import { Module } from '@nestjs/common';
import { CreatePersona } from './create-persona.ts';
import { PersonasController } from './personas.controller.ts';
import { RemovePersona } from './remove-persona.ts';
import { UpdatePersona } from './update-persona.ts';

@Module({
  controllers: [PersonasController],
  providers: [CreatePersona, RemovePersona, UpdatePersona],
})
export class PersonasModule {}
