import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';

/** Nothing is loaded, run or framed: the pages are text and forms. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/** The pages of the device flow (RFC 8628 §3.3), with the forms that oidc-provider makes. */
export const devicePages = {
  userCodeInputSource(
    context: KoaContextWithOIDC,
    form: string,
    _out?: ErrorOut,
    error?: Error & { userCode?: string },
  ): void {
    const hint =
      error === undefined ? 'Enter the code that your device shows.' : hintFor(error.name);
    show(context, 'Connect a device', `<p>${hint}</p>${form}${button('op.deviceInputForm')}`);
  },

  userCodeConfirmSource(
    context: KoaContextWithOIDC,
    form: string,
    client: { clientName?: string | undefined; clientId: string },
    ...[, userCode]: [unknown, string]
  ): void {
    const name = escapeHtml(client.clientName ?? client.clientId);
    show(
      context,
      'Connect a device',
      `<p><strong>${name}</strong> asks to act for you. Go on only if it is you who started it and
       your device shows this code:</p><p><code>${escapeHtml(userCode)}</code></p>
       ${form}${button('op.deviceConfirmForm')}
       <button type="submit" form="op.deviceConfirmForm" name="abort" value="yes">Refuse</button>`,
    );
  },

  successSource(context: KoaContextWithOIDC): void {
    show(context, 'Device connected', '<p>You can close this page and go back to your device.</p>');
  },
};

/** The page of a browser that cannot be sent back, as nobody knows where it came from. */
export function renderFault(context: KoaContextWithOIDC, out: ErrorOut): void {
  const detail = escapeHtml(out.error_description ?? 'The request cannot be served.');
  show(
    context,
    'Sign-in failed',
    `<p>${detail}</p><p>Go back to where you came from and start again.</p>
     <p><code>${escapeHtml(out.error)}</code></p>`,
  );
}

function hintFor(fault: string): string {
  return fault === 'AbortedError'
    ? 'The device was refused.'
    : 'This code cannot be used. Look at your device and enter the code that it shows now.';
}

function button(form: string): string {
  return `<button type="submit" form="${form}">Continue</button>`;
}

function show(context: KoaContextWithOIDC, title: string, content: string): void {
  context.type = 'html';
  context.set('content-security-policy', CONTENT_SECURITY_POLICY);
  context.set('referrer-policy', 'no-referrer');
  context.body = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title></head>
<body><main><h1>${title}</h1>${content}</main></body>
</html>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
