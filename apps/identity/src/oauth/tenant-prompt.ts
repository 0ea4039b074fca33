import { type Configuration, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { acrCheck } from './demanded-acr.ts';

const { base, Check, Prompt } = interactionPolicy;

/** What a person is asked after who they are, and the name of the answer. */
export const TENANT_PROMPT = 'tenant';

/** Counts the tenants of a person. */
export type CountTenants = (userId: string) => Promise<number>;

/**
 * What a person is asked before their client gets an answer: who they are, then for which tenant, as
 * far as that is open. A sign-in is the whole consent, so that nothing is asked after that.
 */
export function interactionsOf(
  countTenants: CountTenants,
): NonNullable<Configuration['interactions']> {
  const policy = base();
  policy.get('login')?.checks.add(acrCheck());
  const isOpen = (context: KoaContextWithOIDC) => isTenantOpen(context, countTenants);
  const check = new Check('tenant_open', 'the person has to choose a tenant', isOpen, () => ({}));
  policy.add(new Prompt({ name: TENANT_PROMPT, requestable: false }, check), 1);
  return { policy, url: (_context, { uid }) => `/api/auth/sign-in/${uid}` };
}

/** The tenant that the person has chosen, else the one that the client has named. */
export function wantedTenant({ oidc }: KoaContextWithOIDC): unknown {
  return chosenTenant(oidc.result) ?? oidc.params?.['tenant'];
}

/** Whether the person follows an invitation and has yet to say what comes of it. */
export function isInvited({ oidc }: KoaContextWithOIDC): boolean {
  return oidc.params?.['invitation'] !== undefined && chosenTenant(oidc.result) === undefined;
}

function chosenTenant(result: Record<string, unknown> | undefined): string | undefined {
  // `Interactions.choose` puts it there.
  return (result?.[TENANT_PROMPT] as { tenant_id: string } | undefined)?.tenant_id;
}

async function isTenantOpen(
  context: KoaContextWithOIDC,
  countTenants: CountTenants,
): Promise<boolean> {
  const { account } = context.oidc;
  if (account === undefined) {
    return false;
  }
  const isNamed = wantedTenant(context) !== undefined;
  return isInvited(context) || (!isNamed && (await countTenants(account.accountId)) !== 1);
}
