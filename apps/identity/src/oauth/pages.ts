import { Html, html, renderPage } from '@soma/http';
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';

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
    const content = html`<p>${hint}</p>
      ${new Html(form)}${button('op.deviceInputForm')}`;
    show(context, 'Connect a device', content);
  },

  userCodeConfirmSource(
    context: KoaContextWithOIDC,
    form: string,
    client: { clientName?: string | undefined; clientId: string },
    ...[, userCode]: [unknown, string]
  ): void {
    const name = client.clientName ?? client.clientId;
    show(
      context,
      'Connect a device',
      html`<p>
          <strong>${name}</strong> asks to act for you. Go on only if it is you who started it and
          your device shows this code:
        </p>
        <p><code>${userCode}</code></p>
        ${new Html(form)}${button('op.deviceConfirmForm')}
        <button type="submit" form="op.deviceConfirmForm" name="abort" value="yes">Refuse</button>`,
    );
  },

  successSource(context: KoaContextWithOIDC): void {
    const advice = 'You can close this page and go back to your device.';
    show(context, 'Device connected', html`<p>${advice}</p>`);
  },
};

/** The page of a browser that cannot be sent back, as nobody knows where it came from. */
export function renderFault(context: KoaContextWithOIDC, out: ErrorOut): void {
  const detail = out.error_description ?? 'The request cannot be served.';
  show(
    context,
    'Sign-in failed',
    html`<p>${detail}</p>
      <p>Go back to where you came from and start again.</p>
      <p><code>${out.error}</code></p>`,
  );
}

function hintFor(fault: string): string {
  return fault === 'AbortedError'
    ? 'The device was refused.'
    : 'This code cannot be used. Look at your device and enter the code that it shows now.';
}

function button(form: string): Html {
  return html`<button type="submit" form="${form}">Continue</button>`;
}

/** The status stays as oidc-provider has set it. */
function show(context: KoaContextWithOIDC, title: string, content: Html): void {
  const { headers, body } = renderPage({ title, content });
  context.set(headers);
  context.body = body;
}
