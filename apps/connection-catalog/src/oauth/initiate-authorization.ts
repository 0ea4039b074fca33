import { Injectable } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { BeginCodeFlow, type CodeFlow } from './flows/begin-code-flow.ts';
import { BeginDeviceFlow } from './flows/begin-device-flow.ts';
import { setFlowCookie } from './flows/browser-cookie.ts';
import type { FlowStart } from './flows/flow-start.ts';
import { GrantClientCredentials } from './flows/grant-client-credentials.ts';
import { PrepareFlow } from './flows/prepare-flow.ts';
import type { InitiateAnswer, InitiateRequest } from './wire.ts';

/** What is answered, and what the browser is to keep. */
export interface Initiated {
  answer: InitiateAnswer;
  cookie?: string;
}

/** Where the callback is. */
export class CallbackUrl {
  /** @param href - As providers know it. */
  constructor(readonly href: string) {}
}

/** Starts to authorise a connection in the way that somebody asks for. */
@Injectable()
export class InitiateAuthorization {
  constructor(
    private readonly prepare: PrepareFlow,
    private readonly beginCodeFlow: BeginCodeFlow,
    private readonly beginDeviceFlow: BeginDeviceFlow,
    private readonly grantClientCredentials: GrantClientCredentials,
    private readonly callbackUrl: CallbackUrl,
  ) {}

  /** @throws {@link Problem} 404 `connection_not_found`, 422 and 502 for what a provider says */
  async execute(principal: Principal, request: InitiateRequest): Promise<Initiated> {
    const { connection_name, grant_type, scopes } = request;
    const start = await this.prepare.execute(principal, connection_name, scopes);
    switch (grant_type) {
      case 'authorization_code':
        return this.sendBrowser(start);
      case 'device_code':
        return { answer: await this.showCode(start) };
      case 'client_credentials':
        await this.grantClientCredentials.execute(start);
        return { answer: { grant_type, connection_name, status: 'active' } };
    }
  }

  private async sendBrowser(start: FlowStart): Promise<Initiated> {
    const flow = await this.beginCodeFlow.execute(start);
    const answer: InitiateAnswer = {
      grant_type: 'authorization_code',
      connection_name: start.connection.name,
      authorization_url: flow.authorizationUrl,
      expires_at: flow.expiresAt.toISOString(),
    };
    return { answer, cookie: this.cookieOf(flow) };
  }

  private cookieOf({ flowId, browserKey, expiresAt }: CodeFlow): string {
    const { pathname, protocol } = new URL(this.callbackUrl.href);
    return setFlowCookie({
      ...{ flowId, value: browserKey, path: pathname, isSecure: protocol === 'https:' },
      maxAgeSeconds: Math.ceil((expiresAt.getTime() - Date.now()) / 1000),
    });
  }

  private async showCode(start: FlowStart): Promise<InitiateAnswer> {
    const flow = await this.beginDeviceFlow.execute(start);
    return {
      grant_type: 'device_code',
      connection_name: start.connection.name,
      user_code: flow.userCode,
      verification_uri: flow.verificationUri,
      verification_uri_complete: flow.verificationUriComplete ?? null,
      interval_seconds: flow.intervalSeconds,
      expires_at: flow.expiresAt.toISOString(),
    };
  }
}
