import type { Service } from './services.ts';

/** What a person sees when everything is up: where it is, and a conversation to paste. */
export function welcome(services: Service[], token: string, seconds: number): string {
  const gateway = services.find(({ app }) => app === 'gateway');
  const width = Math.max(...services.map(({ name }) => name.length));
  const urls = services.map(({ name, url }) => `  ${name.padEnd(width)}  ${url}`);
  return [
    '',
    `Soma is up after ${seconds.toFixed(0)} s.`,
    '',
    ...urls,
    `  ${'API'.padEnd(width)}  ${gateway?.url ?? ''}/docs`,
    '',
    'Send a message and watch the answer stream (Ctrl-C ends the stream):',
    '',
    ...(gateway ? firstConversation(gateway.url, token) : []),
    '',
    'That token of the tenant "acme" lasts 15 minutes. Another one: npm run -s stack -- token',
    'Logs: npm run stack -- logs [name]   Stop: Ctrl-C',
    '',
  ].join('\n');
}

function firstConversation(url: string, token: string): string[] {
  const session = `hello-${Date.now().toString(36)}`;
  return [
    `TOKEN=${token}`,
    `curl -sS ${url}/v1/session/message -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\`,
    `  -d '{"session_id":"${session}","message":"What does Soma do? Soma is a gateway for agents. It streams answers and loses no event."}'`,
    `curl -sSN ${url}/v1/session/${session}/events -H "Authorization: Bearer $TOKEN"`,
  ];
}
