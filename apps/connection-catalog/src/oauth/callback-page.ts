import { html, type Page, sendPage } from '@soma/http';
import type { FastifyReply } from 'fastify';
import type { CodeFlowOutcome } from './flows/exchange-code.ts';

function pageOf(outcome: CodeFlowOutcome): Page {
  switch (outcome.kind) {
    case 'authorized': {
      const text = `The connection “${outcome.connectionName}” may be used now. You can close this page.`;
      return { title: 'Connected', content: html`<p>${text}</p>` };
    }
    case 'unknown': {
      const text =
        'It was used already, it is too old, or it was started in another browser. Go back to where ' +
        'you started, and connect again.';
      return { status: 400, title: 'This link does not work here', content: html`<p>${text}</p>` };
    }
    case 'refused':
      return notConnected(403, refusalOf(outcome.error));
    case 'wrong_issuer':
      return notConnected(400, 'Somebody other than the provider sent you back here. Start again.');
    case 'failed':
      return notConnected(502, `The provider gave no token (${outcome.error}). Start again.`);
  }
}

function notConnected(status: number, text: string): Page {
  return { status, title: 'Not connected', content: html`<p>${text} Nothing was stored.</p>` };
}

function refusalOf(error: string): string {
  return error === 'access_denied'
    ? 'You, or the provider, said no. You can close this page or start again.'
    : `The provider refused (${error}). Ask whoever set the connection up to check its client and scopes.`;
}

/** Answers a person. */
export function sendCallbackPage(reply: FastifyReply, outcome: CodeFlowOutcome): Promise<void> {
  return sendPage(reply, pageOf(outcome));
}
