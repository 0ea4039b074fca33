import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Asks whether the database answers. */
@Injectable()
export class DatabaseProbe {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws What the driver says when the database does not answer. */
  async check(): Promise<void> {
    await this.dataSource.query('SELECT 1');
  }
}
