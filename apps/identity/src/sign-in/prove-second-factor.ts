import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import { SweepTransaction } from '@soma/persistence';
import { type ProofResponse, proofResponse } from '../second-factors/passkey-messages.ts';
import { factorRefused, type ProvenFactor } from '../second-factors/proven-factor.ts';
import { VerifyCode } from '../second-factors/verify-code.ts';
import { VerifyPasskey } from '../second-factors/verify-passkey.ts';
import { SignInsRepository } from './sign-ins.repository.ts';

/** What was sent as a proof: a code, or a passkey's answer as JSON. */
export interface TypedProof {
  code: string;
  passkey: string;
}

/** Takes the second factor of somebody who is signing in. */
@Injectable()
export class ProveSecondFactor {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly signIns: SignInsRepository,
    private readonly verifyCode: VerifyCode,
    private readonly verifyPasskey: VerifyPasskey,
  ) {}

  /** @throws {@link Problem} 403 `second_factor_refused`, 429 `second_factor_locked` */
  async execute(interaction: string, proof: TypedProof, origin: AuditOrigin): Promise<void> {
    const row = await this.sweep.run((manager) => this.signIns.find(manager, interaction));
    const userId = row?.user_id;
    if (userId === null || userId === undefined) {
      throw factorRefused(new Error('Nobody is signing in.'));
    }
    const actor = { ...origin, actor: { ...origin.actor, subject: userId } };
    const { amr } = await this.verify(userId, proof, actor);
    await this.sweep.run((manager) =>
      this.signIns.addMethods(manager, interaction, { userId, amr }),
    );
  }

  private verify(userId: string, proof: TypedProof, origin: AuditOrigin): Promise<ProvenFactor> {
    return proof.passkey === ''
      ? this.verifyCode.execute(userId, proof.code.slice(0, 64), origin)
      : this.verifyPasskey.execute(userId, parsePasskey(proof.passkey), origin);
  }
}

function parsePasskey(text: string): ProofResponse {
  try {
    return proofResponse.parse(JSON.parse(text));
  } catch (error) {
    throw factorRefused(error);
  }
}
