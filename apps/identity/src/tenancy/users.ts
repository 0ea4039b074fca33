import { Injectable } from '@nestjs/common';
import { newIdentifier, Problem } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';

/** A person, who may be a member of several tenants. */
export interface User {
  user_id: string;
  /** In lower case. */
  email: string;
  /** Null until somebody has shown that the address is theirs. */
  email_verified_at: Date | null;
  display_name: string;
  /** Set for a person who may not sign in any more. */
  disabled_at: Date | null;
}

/** A person whose address has been verified by whoever signed them in. */
export interface NewUser {
  email: string;
  display_name: string;
}

const COLUMNS = 'user_id, email, email_verified_at, display_name, disabled_at';

/** All people. They are looked for before it is known which tenant they ask for. */
@Injectable()
export class Users {
  constructor(private readonly sweep: SweepTransaction) {}

  find(userId: string): Promise<User | undefined> {
    return this.findBy('user_id', userId);
  }

  findByEmail(email: string): Promise<User | undefined> {
    return this.findBy('email', email.toLowerCase());
  }

  /** @throws {@link Problem} 409 `user_exists` for an address that somebody has already */
  async create({ email, display_name }: NewUser): Promise<User> {
    const [user] = await this.sweep.run((manager) =>
      manager.query<User[]>(
        `INSERT INTO identity.users (user_id, email, email_verified_at, display_name)
         VALUES ($1, $2, clock_timestamp(), $3)
         ON CONFLICT (email) DO NOTHING RETURNING ${COLUMNS}`,
        [newIdentifier(), email.toLowerCase(), display_name],
      ),
    );
    if (user === undefined) {
      throw new Problem({
        status: 409,
        code: 'user_exists',
        detail: 'Somebody has this e-mail address already. Sign in as that person.',
      });
    }
    return user;
  }

  private async findBy(column: 'user_id' | 'email', value: string): Promise<User | undefined> {
    const [user] = await this.sweep.run((manager) =>
      manager.query<User[]>(`SELECT ${COLUMNS} FROM identity.users WHERE ${column} = $1`, [value]),
    );
    return user;
  }
}
