import { html, type Html, type Page } from '@soma/http';
import type { IdentityProvider } from '../providers/identity-provider.ts';
import type { SignInStep } from '../sign-in-steps.ts';
import { pathOf } from './path-of.ts';
import { tenantPage } from './tenant-page.ts';

/** What a page says first: what has just happened. Others are not shown, whatever an address says. */
const NOTICES: Readonly<Record<string, string>> = {
  cancelled: 'You left the sign-in. Choose how to go on.',
  provider_failed: 'The provider could not sign you in. Try again, or choose another one.',
  provider_unavailable: 'The provider does not answer at the moment. Try again in a minute.',
  code_refused: 'The provider took back what it said. Try again.',
  token_invalid: 'What the provider said about you could not be verified. Try again.',
  email_unverified:
    'The provider does not vouch for your e-mail address. Verify it there, then try again.',
  account_disabled: 'Your account is disabled. Ask an administrator of your organisation.',
  refused: 'That is not the code of now, or it was used before. Try the next one.',
  not_chosen: 'That can no longer be chosen. This is what there is now.',
  locked: 'Too many codes were tried. Wait 15 minutes, or use a passkey.',
};

/** What a page needs to know besides the step. */
export interface PageContext {
  interaction: string;
  providers: readonly IdentityProvider[];
  notice: string | undefined;
  formTarget: string | undefined;
}

type ShownStep = Exclude<SignInStep, { kind: 'done' | 'tenant_chosen' }>;

/** The page of a step. */
export function pageOf(step: ShownStep, context: PageContext): Page {
  const { notice, formTarget } = context;
  const said = notice === undefined ? undefined : NOTICES[notice];
  const { title, content, ...rest } = contentOf(step, context);
  const noticed =
    said === undefined
      ? content
      : html`<p class="notice">${said}</p>
          ${content}`;
  return { title, content: noticed, formTarget, ...rest };
}

function contentOf(step: ShownStep, context: PageContext): Page {
  switch (step.kind) {
    case 'choose_provider':
      return { title: 'Sign in', content: choices(context, context.providers) };
    case 'sign_in_to_link':
      return signInToLink(step, context);
    case 'second_factor':
      return secondFactor(step, context);
    case 'confirm_link':
      return confirmLink(step, context);
    case 'choose_tenant':
      return tenantPage(step, context.interaction);
  }
}

function choices({ interaction }: PageContext, providers: readonly IdentityProvider[]): Html {
  if (providers.length === 0) {
    return html`<p>No way to sign in is configured. Ask whoever operates this service.</p>`;
  }
  return html`${providers.map(
    ({ name, title }) =>
      html`<a class="choice" href="${pathOf(interaction, `with/${name}`)}"
        >Sign in with ${title}</a
      >`,
  )}`;
}

function signInToLink(
  { account, with: linked }: Extract<ShownStep, { kind: 'sign_in_to_link' }>,
  context: PageContext,
): Page {
  const known = new Set<string>(linked.map(({ provider }) => provider));
  return {
    title: 'You have an account already',
    content: html`<p>
        There is an account with the address ${account.email}, and you have not signed in to it this
        way before. Sign in as you did before; then you can link the two.
      </p>
      ${choices(
        context,
        context.providers.filter(({ name }) => known.has(name)),
      )}`,
  };
}

function secondFactor(
  { passkey, takesCode }: Extract<ShownStep, { kind: 'second_factor' }>,
  { interaction }: PageContext,
): Page {
  const action = pathOf(interaction, 'second-factor');
  const byPasskey = passkey === undefined ? html`` : passkeyForm(action, JSON.stringify(passkey));
  return {
    title: 'Prove that it is you',
    content: html`${byPasskey}${takesCode ? codeForm(action) : html``}`,
    hasScript: passkey !== undefined,
  };
}

function codeForm(action: string): Html {
  return html` <form method="post" action="${action}">
    <p>
      <label
        >Code of your app, or a recovery code
        <input name="code" autocomplete="one-time-code" required maxlength="64" autofocus
      /></label>
    </p>
    <button>Go on</button>
  </form>`;
}

function passkeyForm(action: string, options: string): Html {
  return html`<form id="passkey" method="post" action="${action}" data-options="${options}">
      <input type="hidden" name="passkey" /><button>Use a passkey</button>
    </form>
    <p id="passkey-fault" class="notice" hidden>That did not work. Try again, or use a code.</p>
    <script src="/api/auth/passkey.js" defer></script>`;
}

function confirmLink(
  { account }: Extract<ShownStep, { kind: 'confirm_link' }>,
  { interaction, providers }: PageContext,
): Page {
  const title = providers.find(({ name }) => name === account.provider)?.title ?? account.provider;
  return {
    title: `Link your ${title} account?`,
    content: html`<p>
        From then on, whoever signs in with the ${title} account ${account.email} signs in as you.
        Go on only if it is yours.
      </p>
      <form method="post" action="${pathOf(interaction, 'link')}">
        <button name="answer" value="yes">Link it</button>
        <button name="answer" value="no">Not now</button>
      </form>`,
  };
}

/** The page of a browser that cannot go on. */
export function endPage(status: number, title: string, advice: string): Page {
  return { status, title, content: html`<p class="notice">${advice}</p>` };
}
