import { HTTP_CODE_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { ModulesContainer } from '@nestjs/core';
import type { z } from 'zod';
import { addressOf, handlersOf, type RouteHandler } from './handlers.ts';
import { isUndocumented, operationOf, type OperationOptions } from './operation.decorator.ts';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** One route, as Nest serves it. */
export interface Route {
  /** `SessionsController.get`, for messages. */
  handler: string;
  controller: string;
  method: (typeof METHODS)[number];
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
  const undescribed: string[] = [];
  const routes = handlersOf(modules).flatMap((each) => {
    const { controller, handler, name } = each;
    if (isUndocumented(controller) || isUndocumented(handler)) {
      return [];
    }
    const operation = operationOf(handler);
    if (operation === undefined) {
      undescribed.push(`${controller.name}.${name}`);
      return [];
    }
    return [toRoute(each, operation)];
  });
  if (undescribed.length > 0) {
    throw new Error(
      `These routes need an @Operation (or @Undocumented()): ${undescribed.join(', ')}`,
    );
  }
  return routes;
}

function toRoute({ controller, name, handler }: RouteHandler, operation: OperationOptions): Route {
  const address = addressOf(controller, handler);
  const method = methodOf(address.method);
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
    path: address.path,
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

function statusOf(handler: object, method: Route['method']): number {
  const status = Reflect.getMetadata(HTTP_CODE_METADATA, handler) as number | undefined;
  return status ?? (method === 'post' ? 201 : 200);
}

function methodOf(method: string): Route['method'] {
  const known = METHODS.find((each) => each === method.toLowerCase());
  if (known === undefined) {
    throw new Error(`The API document knows no method ${method}.`);
  }
  return known;
}
