import { readFile } from 'node:fs/promises';
import { type ChainHead, chainHead } from '@soma/contracts';
import type { Chains } from './chains.ts';
import { verifyChain } from './verify-chain.ts';

/** What the tool was asked for in the wrong words. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const USAGE = `Usage: npm run -s audit -- <command>
  verify [--tenant <id>] [--heads <file>]   walk the chains and name each line that is wrong
  export-heads                              print the heads, to be kept elsewhere for --heads`;

/** Prints one value as one line of JSON. */
export type Print = (value: unknown) => void;

/** What {@link verify} is asked for. */
export interface VerifyOptions {
  tenant?: string | undefined;
  /** File of heads that `export-heads` or the daily export wrote. */
  heads?: string | undefined;
}

/**
 * Runs one command.
 *
 * @returns Whether nothing is wrong.
 */
export async function runCommand(
  chains: Chains,
  { command, ...options }: VerifyOptions & { command: string | undefined },
  print: Print,
): Promise<boolean> {
  switch (command) {
    case 'verify':
      return verify(chains, options, print);
    case 'export-heads':
      for (const head of await chains.heads()) print(head);
      return true;
    default:
      throw new UsageError(USAGE);
  }
}

async function verify(
  chains: Chains,
  { tenant, heads: file }: VerifyOptions,
  print: Print,
): Promise<boolean> {
  const written = file === undefined ? [] : await readHeads(file);
  const earlier = [...(await chains.heads()), ...(await chains.exportedHeads()), ...written];
  const tenants = tenant === undefined ? earlier.map(({ tenant_id }) => tenant_id) : [tenant];
  let isWhole = true;
  for (const tenantId of new Set(tenants)) {
    const known = {
      tenantId,
      earlier: earlier.filter(({ tenant_id }) => tenant_id === tenantId),
      headNow: () => chains.head(tenantId),
    };
    let faults = 0;
    for await (const finding of verifyChain(chains.lines(tenantId), known)) {
      faults += 1;
      print(finding);
    }
    print({ tenant_id: tenantId, lines: (await chains.head(tenantId))?.seq ?? 0, faults });
    isWhole &&= faults === 0;
  }
  return isWhole;
}

/** Lines of JSON. What a log puts around a head is overlooked. */
async function readHeads(file: string): Promise<ChainHead[]> {
  const text = await readFile(file, 'utf8');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => chainHead.parse(JSON.parse(line)));
}
