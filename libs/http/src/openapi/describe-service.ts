import 'reflect-metadata';
import type { DynamicModule, Type } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { createLogger } from '@soma/observability';
import { Exchanges } from '../exchanges.ts';
import { serviceModule } from '../service.module.ts';
import { type ApiDescription, type ApiDocument, describeApi } from './document.ts';
import { routesOf } from './routes.ts';

/** What a service is made of, without anything of it being started. */
export async function modulesOf(module: Type | DynamicModule): Promise<ModulesContainer> {
  const exchanges = new Exchanges(createLogger({ service: 'preview', level: 'silent' }));
  const context = await NestFactory.createApplicationContext(serviceModule(module, exchanges), {
    preview: true,
    abortOnError: false,
    logger: false,
  });
  return context.get(ModulesContainer);
}

/** Makes a service's API document without starting anything of the service. */
export async function describeService(
  module: Type | DynamicModule,
  version: string,
  api: ApiDescription,
): Promise<ApiDocument> {
  return describeApi(routesOf(await modulesOf(module)), version, api);
}
