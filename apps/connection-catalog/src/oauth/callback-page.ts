import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import type { CodeFlowOutcome } from './flows/exchange-code.ts';

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}';
const STYLE_HASH = hash('sha256', STYLE, 'base64');

interface Page {
  status: number;
  title: string;
  text: string;
}

function pageOf(outcome: CodeFlowOutcome): Page {
  switch (outcome.kind) {
    case 'authorized': {
      const text = `The connection “${outcome.connectionName}” may be used now. You can close this page.`;
      return { status: 200, title: 'Connected', text };
    }
    case 'unknown': {
      const text =
        'It was used already, it is too old, or it was started in another browser. Go back to where ' +
        'you started, and connect again.';
      return { status: 400, title: 'This link does not work here', text };
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
  return { status, title: 'Not connected', text: `${text} Nothing was stored.` };
}

function refusalOf(error: string): string {
  return error === 'access_denied'
    ? 'You, or the provider, said no. You can close this page or start again.'
    : `The provider refused (${error}). Ask whoever set the connection up to check its client and scopes.`;
}

/** Answers a person with a page that loads nothing, is framed by nobody and kept by nobody. */
export async function sendCallbackPage(
  reply: FastifyReply,
  outcome: CodeFlowOutcome,
): Promise<void> {
  const { status, title, text } = pageOf(outcome);
  await reply
    .status(status)
    .type('text/html; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .header(
      'content-security-policy',
      `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; ` +
        "form-action 'none'; frame-ancestors 'none'",
    )
    .send(
      '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
        '<meta name="viewport" content="width=device-width">' +
        `<title>${escape(title)}</title><style>${STYLE}</style></head>` +
        `<body><main><h1>${escape(title)}</h1><p>${escape(text)}</p></main></body></html>`,
    );
}

/** What a provider calls its error is written by a stranger. */
function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
