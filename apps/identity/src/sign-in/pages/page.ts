import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; }
  a.choice, button { display: block; width: 100%; box-sizing: border-box; margin: .5rem 0;
    padding: .6rem 1rem; border: 1px solid #777; border-radius: .4rem; background: none;
    color: inherit; font: inherit; text-align: center; text-decoration: none; cursor: pointer; }
  input { width: 100%; box-sizing: border-box; padding: .6rem; font: inherit; }
  .notice { border-left: .3rem solid #b00; padding-left: .7rem; }
`;
const STYLE_HASH = hash('sha256', STYLE, 'base64');

/** Text that is HTML already. Everything else is escaped where it is put into a page. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | readonly Html[] | string;

/** A piece of a page: what is put between is escaped, unless it is HTML itself. */
export function html(texts: TemplateStringsArray, ...parts: Part[]): Html {
  const written = texts.map((text, index) => text + write(parts[index] ?? ''));
  return new Html(written.join(''));
}

function write(part: Part): string {
  if (part instanceof Html) {
    return part.text;
  }
  return typeof part === 'string' ? escape(part) : part.map(write).join('');
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

// Not in the template, whose white space is not the hashed one.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** An address of a sign-in, or of something below it. */
export function pathOf(interaction: string, rest = ''): string {
  return `/api/auth/sign-in/${encodeURIComponent(interaction)}${rest && `/${rest}`}`;
}

/** What a person sees. */
export interface Page {
  title: string;
  content: Html;
  status?: number;
  /** Whether it needs the script for passkeys. */
  hasScript?: boolean;
  /**
   * Where the browser may be sent after a form, besides here: browsers hold redirects to
   * `form-action` too, and the last one of a sign-in leads to the client.
   */
  formTarget?: string | undefined;
}

/** Answers with a page that loads nothing, is framed by nobody and kept by nobody. */
export async function sendPage(reply: FastifyReply, page: Page): Promise<void> {
  const { title, content, status = 200 } = page;
  await reply
    .status(status)
    .type('text/html; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('content-security-policy', policyOf(page))
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .send(
      html`<!doctype html>
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
        </html> `.text,
    );
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
