import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { addressOf, handlersOf } from '@soma/http';
import { type Declaration, declarationOf } from './access.decorator.ts';

/** One route, and who may use it. */
export type DeclaredRoute = Declaration & {
  /** `ALL` for every method. */
  method: string;
  /** With parameters as `{id}`. */
  path: string;
};

/** Where a route is, as policies know it: whatever address a client wrote, and however. */
export interface RouteTemplate {
  method: string;
  path: string;
}

/** By controller, then by handler: each request asks, and the answer never changes. */
const templates = new WeakMap<object, WeakMap<object, RouteTemplate>>();

/** Where the method of a controller is served. */
export function templateOf(controller: object, handler: object): RouteTemplate {
  const ofController = templates.get(controller) ?? new WeakMap<object, RouteTemplate>();
  templates.set(controller, ofController);
  const known = ofController.get(handler);
  if (known !== undefined) {
    return known;
  }
  const { method, path } = addressOf(controller, handler);
  const template = { method, path: path.replace(/:(\w+)/g, '{$1}') };
  ofController.set(handler, template);
  return template;
}

/**
 * Lists every route of a service with its declaration.
 *
 * @throws Error that names each route without one.
 */
export function declaredRoutes(modules: ModulesContainer): DeclaredRoute[] {
  const undeclared: string[] = [];
  const routes = handlersOf(modules).flatMap(({ controller, handler, name }) => {
    const declaration = declarationOf(controller, handler);
    if (declaration === undefined) {
      undeclared.push(`${controller.name}.${name}`);
      return [];
    }
    return [{ ...templateOf(controller, handler), ...declaration }];
  });
  if (undeclared.length > 0) {
    throw new Error(
      `These routes need an @Access (or @Public(), @Internal()): ${undeclared.join(', ')}`,
    );
  }
  return routes;
}

/** Keeps a service from starting while one of its routes declares nothing. */
@Injectable()
export class AccessTable implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  onModuleInit(): void {
    declaredRoutes(this.modules);
  }
}
