import { describe, expect, it } from '@jest/globals';
import { readLogLine } from './cloudflared-log.ts';

const CONFIGURED = {
  level: 'info',
  version: 3,
  config: JSON.stringify({
    ingress: [
      { hostname: 'hooks.example.com', service: 'http://localhost:8010' },
      { hostname: '*.example.com', service: 'http://localhost:8010' },
      { service: 'http_status:404' },
    ],
    'warp-routing': { enabled: false },
  }),
  time: '2026-11-21T19:00:00Z',
  message: 'Updated to new configuration',
};

describe('readLogLine', () => {
  it.each<[string, unknown]>([
    [
      '{"level":"info","connIndex":0,"protocol":"quic","message":"Registered tunnel connection"}',
      { type: 'connected' },
    ],
    [JSON.stringify(CONFIGURED), { type: 'configured', hostnames: ['hooks.example.com'] }],
    [
      '{"level":"info","config":"{\\"ingress\\":[]}","message":"Updated to new configuration"}',
      { type: 'configured', hostnames: [] },
    ],
    [
      '{"level":"info","config":"nonsense","message":"Updated to new configuration"}',
      { type: 'configured', hostnames: [] },
    ],
    [
      '{"level":"error","error":"dial tcp: timeout","message":"Unable to establish connection"}',
      { type: 'error', message: 'Unable to establish connection: dial tcp: timeout' },
    ],
    ['{"level":"info","message":"Starting tunnel"}', undefined],
    ['2026/11/21 failed to sufficiently increase receive buffer size', undefined],
    ['', undefined],
  ])('reads %s', (line, event) => {
    expect(readLogLine(line)).toEqual(event);
  });
});
