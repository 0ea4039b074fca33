import { Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { Internal } from '@soma/auth';
import { topicCatalog } from '@soma/contracts';
import { Undocumented } from '@soma/http';
import { Problem } from '@soma/kernel';
import { DeadLetters, type OpenDeadLetter } from '@soma/messaging';
import { z } from 'zod';

const topicNames = topicCatalog.map(({ name }): string => name);

const letterId = z
  .string()
  .max(256)
  // No other topic is there to be read.
  .refine((id) => topicNames.includes(id.split(':')[0] ?? ''), 'must begin with a topic');

/** What could not be handled, of any topic, for other services; people use `npm run dlq`. */
@Internal()
@Undocumented()
@Controller('internal/dead-letters')
export class DeadLettersController {
  constructor(private readonly deadLetters: DeadLetters) {}

  @Get()
  async list(): Promise<{ dead_letters: OpenDeadLetter[] }> {
    const letters = await Promise.all(topicNames.map((name) => this.deadLetters.list(name)));
    return { dead_letters: letters.flat() };
  }

  @Get(':id')
  async show(@Param('id', { schema: letterId }) id: string): Promise<OpenDeadLetter> {
    return (await this.deadLetters.find(id)) ?? notFound(id);
  }

  @Post(':id/replay')
  @HttpCode(204)
  async replay(@Param('id', { schema: letterId }) id: string): Promise<void> {
    if (!(await this.deadLetters.replay(id))) notFound(id);
  }

  @Delete(':id')
  @HttpCode(204)
  async drop(@Param('id', { schema: letterId }) id: string): Promise<void> {
    if (!(await this.deadLetters.drop(id))) notFound(id);
  }
}

function notFound(id: string): never {
  throw new Problem({
    status: 404,
    code: 'dead_letter_not_found',
    detail: `There is no open dead letter "${id}". It may have been replayed or dropped.`,
  });
}
