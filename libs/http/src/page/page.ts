import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { html, Html } from './html.ts';

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; }
  a.choice, button { display: block; width: 100%; box-sizing: border-box; margin: .5rem 0;
    padding: .6rem 1rem; border: 1px solid #777; border-radius: .4rem; background: none;
    color: inherit; font: inherit; text-align: center; text-decoration: none; cursor: pointer; }
  input { width: 100%; box-sizing: border-box; padding: .6rem; font: inherit; }
  .notice { border-left: .3rem solid #b00; padding-left: .7rem; }
`;
const STYLE_HASH = hash('sha256', STYLE, 'base64');

// Not in the template, whose white space is not the hashed one.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** What a person sees. */
export interface Page {
  title: string;
  content: Html;
  /** Default: 200. */
  status?: number;
  /** Whether it runs scripts, which are the service's own. */
  hasScript?: boolean;
  /**
   * Where the browser may be sent after a form, besides here: browsers hold redirects to
   * `form-action` too.
   */
  formTarget?: string | undefined;
}

/** A page as it is sent: it loads nothing from elsewhere, is framed by nobody and kept by nobody. */
export function renderPage(page: Page): { headers: Record<string, string>; body: string } {
  const { title, content } = page;
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': policyOf(page),
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
  const body = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html> `;
  return { headers, body: body.text };
}

/** Answers with a page. */
export async function sendPage(reply: FastifyReply, page: Page): Promise<void> {
  const { headers, body } = renderPage(page);
  await reply
    .status(page.status ?? 200)
    .headers(headers)
    .send(body);
}

function policyOf({ hasScript = false, formTarget }: Page): string {
  return [
    "default-src 'none'",
    ...(hasScript ? ["script-src 'self'"] : []),
    `style-src 'sha256-${STYLE_HASH}'`,
    ["form-action 'self'", ...(formTarget === undefined ? [] : [formTarget])].join(' '),
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
