import { Controller, Get, Inject } from '@nestjs/common';
import { Access } from '@soma/auth';
import { modelList, type ModelList } from '@soma/contracts';
import { Operation } from '@soma/http';
import { listModels } from '@soma/llm';
import { modelListExample } from '../api-examples.ts';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';

@Controller('v1/models')
export class ModelsController {
  constructor(@Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig) {}

  @Get()
  @Access({ scope: 'models:read', resource: 'model' })
  @Operation({
    summary: 'List models',
    description: 'Those that are known here, also where no key enables them.',
    answer: modelList,
    answerExample: modelListExample,
  })
  list(): ModelList {
    return { models: listModels(this.config) };
  }
}
