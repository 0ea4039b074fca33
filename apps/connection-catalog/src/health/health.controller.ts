import { Controller, Get, Param, UseInterceptors } from '@nestjs/common';
import { Access, type Caller, CurrentCaller } from '@soma/auth';
import {
  connectionHealthReport,
  type ConnectionHealthReport,
  connectionName,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { TestConnection } from './test-connection.ts';

@Controller('api/v1/connections')
@UseInterceptors(FaultInterceptor)
export class HealthController {
  constructor(private readonly testConnection: TestConnection) {}

  @Get(':name/health')
  @Access({ scope: 'connections:read', resource: 'connection', id: 'params.name' })
  @Operation({
    summary: 'Try a connection',
    description:
      'Looks at once whether the connection works, by something that changes nothing and costs ' +
      'nothing, for at most ten seconds. All connections are looked at every few minutes besides; ' +
      '`history` has the last hundred checks. One failure makes a connection `degraded`, three in ' +
      'a row `unhealthy`, and one success `healthy`. The look counts as a use of the connection.',
    answer: connectionHealthReport,
    problems: {
      404: ['connection_not_found'],
      429: ['connection_rate_limited'],
      503: ['database_unavailable', 'health_checks_busy'],
    },
  })
  check(
    @CurrentCaller() caller: Caller,
    @Param('name', { schema: connectionName }) name: string,
  ): Promise<ConnectionHealthReport> {
    return this.testConnection.execute(caller, name);
  }
}
