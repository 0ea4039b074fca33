/** An address of a sign-in, or of something below it. */
export function pathOf(interaction: string, rest = ''): string {
  return `/api/auth/sign-in/${encodeURIComponent(interaction)}${rest && `/${rest}`}`;
}
