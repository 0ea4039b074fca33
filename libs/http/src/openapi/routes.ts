import { RequestMethod, type Type } from '@nestjs/common';
import {
  HTTP_CODE_METADATA,
  METHOD_METADATA,
  PATH_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import type { z } from 'zod';
import { isUndocumented, operationOf, type OperationOptions } from './operation.decorator.ts';

/** One route, as Nest serves it. */
export interface Route {
  /** `SessionsController.get`, for messages. */
  handler: string;
  controller: string;
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With parameters as `:id`. */
  path: string;
  status: number;
  body: z.ZodType | undefined;
  query: z.ZodType | undefined;
  /** Schemas of single parameters, by name. */
  parameters: Record<string, z.ZodType>;
  operation: OperationOptions;
}

interface RouteArgument {
  data?: string;
  schema?: z.ZodType;
}

/**
 * Lists the documented routes of a service from the metadata that Nest itself serves them by.
 *
 * @throws Error that names each route without an `@Operation`.
 */
export function routesOf(modules: ModulesContainer): Route[] {
  const controllers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
  const undescribed: string[] = [];
  const routes = controllers
    .map(({ metatype }) => metatype as Type)
    .filter((controller) => !isUndocumented(controller))
    .flatMap((controller) => routesOfController(controller, undescribed));
  if (undescribed.length > 0) {
    throw new Error(
      `These routes need an @Operation (or @Undocumented()): ${undescribed.join(', ')}`,
    );
  }
  return routes;
}

function routesOfController(controller: Type, undescribed: string[]): Route[] {
  const prototype = controller.prototype as Record<string, object>;
  const names = new MetadataScanner().getAllMethodNames(prototype);
  return names.flatMap((name) => {
    const handler = prototype[name];
    if (handler === undefined || !Reflect.hasMetadata(PATH_METADATA, handler)) {
      return [];
    }
    if (isUndocumented(handler)) {
      return [];
    }
    const operation = operationOf(handler);
    if (operation === undefined) {
      undescribed.push(`${controller.name}.${name}`);
      return [];
    }
    return [toRoute(controller, name, operation)];
  });
}

function toRoute(controller: Type, name: string, operation: OperationOptions): Route {
  const handler = (controller.prototype as Record<string, object>)[name] ?? {};
  const method = methodOf(Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod);
  const args = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name) ?? {}) as Record<
    string,
    RouteArgument
  >;
  const ofType = (type: RouteParamtypes): RouteArgument[] =>
    Object.keys(args)
      .filter((key) => key.startsWith(`${type}:`))
      .flatMap((key) => args[key] ?? []);
  const whole = (type: RouteParamtypes): z.ZodType | undefined =>
    ofType(type).find(({ data }) => data === undefined)?.schema;
  return {
    handler: `${controller.name}.${name}`,
    controller: controller.name.replace(/Controller$/, ''),
    method,
    path: joinPaths(controller, handler),
    status: statusOf(handler, method),
    body: whole(RouteParamtypes.BODY),
    query: whole(RouteParamtypes.QUERY),
    parameters: Object.fromEntries(
      ofType(RouteParamtypes.PARAM).flatMap(({ data, schema }) =>
        data !== undefined && schema !== undefined ? [[data, schema]] : [],
      ),
    ),
    operation,
  };
}

/** The first of several paths is the one to use; the others are aliases of old. */
function joinPaths(controller: object, handler: object): string {
  const parts = [controller, handler].map((target) => {
    const path = Reflect.getMetadata(PATH_METADATA, target) as string | string[];
    return (Array.isArray(path) ? path[0] : path) ?? '';
  });
  return `/${parts
    .flatMap((part) => part.split('/'))
    .filter(Boolean)
    .join('/')}`;
}

function statusOf(handler: object, method: Route['method']): number {
  const status = Reflect.getMetadata(HTTP_CODE_METADATA, handler) as number | undefined;
  return status ?? (method === 'post' ? 201 : 200);
}

function methodOf(method: RequestMethod): Route['method'] {
  switch (method) {
    case RequestMethod.GET:
      return 'get';
    case RequestMethod.POST:
      return 'post';
    case RequestMethod.PUT:
      return 'put';
    case RequestMethod.PATCH:
      return 'patch';
    case RequestMethod.DELETE:
      return 'delete';
    default:
      throw new Error(`The API document knows no method ${RequestMethod[method]}.`);
  }
}
