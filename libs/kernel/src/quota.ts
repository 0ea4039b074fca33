/** So many requests in so long a time. */
export interface Quota {
  limit: number;
  windowMs: number;
}

/** What a quota had left for one request. */
export interface QuotaGrant {
  /** 1 where the request may go on, else 0. */
  granted: number;
  /** How many more may, for now. */
  remaining: number;
  /** When there is more, in milliseconds. */
  resetMs: number;
}
