import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';

/** A method of a controller that Nest serves a route by. */
export interface RouteHandler {
  controller: Type;
  name: string;
  handler: object;
}

/** Where a route is: what stays the same whatever address a client writes. */
export interface RouteAddress {
  /** In upper case; `ALL` for every method. */
  method: string;
  /** With parameters as `:id`. The first of several paths; the others are aliases of old. */
  path: string;
}

/** Every method that serves a route, in every module. */
export function handlersOf(modules: ModulesContainer): RouteHandler[] {
  return [...modules.values()]
    .flatMap((module) => [...module.controllers.values()])
    .flatMap(({ metatype }) => handlersOfController(metatype as Type));
}

/** Where the method of a controller is served, from the metadata that Nest itself serves it by. */
export function addressOf(controller: object, handler: object): RouteAddress {
  const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
  return {
    method: RequestMethod[method ?? RequestMethod.GET],
    path: joinPaths([controller, handler]),
  };
}

function handlersOfController(controller: Type): RouteHandler[] {
  const prototype = controller.prototype as Record<string, object>;
  return new MetadataScanner().getAllMethodNames(prototype).flatMap((name) => {
    const handler = prototype[name];
    return handler !== undefined && Reflect.hasMetadata(PATH_METADATA, handler)
      ? [{ controller, name, handler }]
      : [];
  });
}

function joinPaths(targets: object[]): string {
  const parts = targets.map((target) => {
    const path = Reflect.getMetadata(PATH_METADATA, target) as string | string[];
    return (Array.isArray(path) ? path[0] : path) ?? '';
  });
  return `/${parts
    .flatMap((part) => part.split('/'))
    .filter(Boolean)
    .join('/')}`;
}
