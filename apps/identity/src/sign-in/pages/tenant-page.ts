import { html, type Html, type Page } from '@soma/http';
import type { OfferedTenant, TenantStep } from '../tenant-steps.ts';
import { pathOf } from './path-of.ts';

type Choice = Extract<TenantStep, { kind: 'choose_tenant' }>;

/** The page on which somebody who is known says for which tenant they sign in. */
export function tenantPage(choice: Choice, interaction: string): Page {
  const { tenants, invitation } = choice;
  const { title, text } = sayingOf(choice);
  return {
    title,
    content: html`<p>${text}</p>
      <form method="post" action="${pathOf(interaction, 'tenant')}">
        ${invitation === undefined ? html`` : joinButton(invitation)}${tenants.map(tenantButton)}
      </form>
      ${tenants.length === 0 && invitation === undefined ? again(interaction) : html``}
      <form method="post" action="${pathOf(interaction, 'leave')}"><button>Leave</button></form>`,
  };
}

/** One answer for whatever is wrong with an invitation, so that guesses learn nothing. */
const UNUSABLE =
  'It was used, revoked or replaced, its seven days are over, or it is for another e-mail address ' +
  'than the one that you signed in with. Ask for a new one.';

function sayingOf({ tenants, invitation, isInvitationUnusable }: Choice): {
  title: string;
  text: string;
} {
  if (invitation !== undefined) {
    const text = `You are invited to become a member, with the role "${invitation.role}".`;
    return { title: `Join ${invitation.name}?`, text };
  }
  if (isInvitationUnusable) {
    return { title: 'This invitation cannot be used', text: UNUSABLE };
  }
  return tenants.length === 0
    ? {
        title: 'You are signed in, but nowhere a member',
        text:
          'Ask an administrator of your organisation to invite the e-mail address that you signed ' +
          'in with.',
      }
    : { title: 'Where do you go?', text: 'You are a member of several organisations.' };
}

function joinButton({ name }: OfferedTenant): Html {
  return html`<button autofocus>Join ${name}</button>`;
}

function tenantButton({ tenant_id, name, role }: OfferedTenant): Html {
  return html`<button name="tenant" value="${tenant_id}">${name} (${role})</button>`;
}

function again(interaction: string): Html {
  return html`<p>When you are a member, <a href="${pathOf(interaction)}">go on</a>.</p>`;
}
