import { Module } from '@nestjs/common';
import { CreatePersona } from './create-persona.ts';
import { PersonasController } from './personas.controller.ts';
import { UpdatePersona } from './update-persona.ts';

@Module({
  controllers: [PersonasController],
  providers: [CreatePersona, UpdatePersona],
})
export class PersonasModule {}
