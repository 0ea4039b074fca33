import type { SettingDescription } from '@soma/kernel';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import type { DescribedService } from './services.ts';

const SHUTDOWN_SPARE_SECONDS = 5;

const container = z.object({
  name: z.string(),
  image: z.string(),
  env: z.array(z.object({ name: z.string(), value: z.string().optional() })).default([]),
});
const workload = z.object({
  kind: z.enum(['Deployment', 'Job']),
  spec: z.object({
    template: z.object({
      spec: z.object({
        terminationGracePeriodSeconds: z.number().optional(),
        containers: z.array(container).min(1),
      }),
    }),
  }),
});
type Container = z.output<typeof container>;

/**
 * What is wrong in rendered manifests that Kubernetes itself would accept: settings that the
 * program does not know, that it needs and does not get, or secrets in plain sight, and pods that
 * are killed before their service has stopped.
 */
export function manifestFaults(manifests: string, services: readonly DescribedService[]): string[] {
  return parseAllDocuments(manifests).flatMap((document) => {
    const parsed = workload.safeParse(document.toJS());
    if (!parsed.success) return [];
    const { terminationGracePeriodSeconds: grace, containers } = parsed.data.spec.template.spec;
    return containers.filter(isOurs).flatMap((each) => {
      const service = services.find(({ name }) => name === each.name);
      if (service === undefined) return [`${each.name}: no such program`];
      return [...settingFaults(each, service), ...graceFaults(each, service, grace)];
    });
  });
}

/** Images of ours are `<registry>/soma-<program>`; what others make reads other settings. */
function isOurs({ image }: Container): boolean {
  return image.includes('/soma-');
}

function settingFaults({ name, env }: Container, { settings }: DescribedService): string[] {
  const given = new Map(env.map((variable) => [variable.name, variable.value ?? '']));
  const names = settings.flatMap((setting) => namesOf(setting));
  const unknown = [...given.keys()].filter((each) => each !== 'NODE_ENV' && !names.includes(each));
  const missing = settings.filter(
    (setting) => setting.required && !namesOf(setting).some((each) => given.has(each)),
  );
  const open = settings.filter(
    (setting) => setting.secret && holdsCredentials(given.get(setting.name)),
  );
  return [
    ...unknown.map((each) => `${name}: it has no setting ${each}`),
    ...missing.map((setting) => `${name}: ${setting.name} is not set`),
    ...open.map((setting) => `${name}: ${setting.name} is a secret and stands in plain sight`),
  ];
}

/** The variables from which a setting is read. */
function namesOf({ name, secret }: SettingDescription): string[] {
  return secret ? [name, `${name}_FILE`] : [name];
}

/** A URL without a user is no secret, though the setting may also hold one that has. */
function holdsCredentials(value: string | undefined): boolean {
  if (value === undefined || !URL.canParse(value)) return value !== undefined;
  const { username, password } = new URL(value);
  return username !== '' || password !== '';
}

function graceFaults(
  { name, env }: Container,
  { settings }: DescribedService,
  graceSeconds = 0,
): string[] {
  const isGrace = (each: { name: string }) => each.name === 'SHUTDOWN_GRACE_SECONDS';
  const preset = settings.find(isGrace)?.default;
  if (preset === undefined) return [];
  const needed = Number(env.find(isGrace)?.value ?? preset);
  return graceSeconds < needed + SHUTDOWN_SPARE_SECONDS
    ? [`${name}: it is killed after ${graceSeconds} s and may need ${needed} s to stop`]
    : [];
}
