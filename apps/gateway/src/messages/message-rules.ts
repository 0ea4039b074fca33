import { ATTACHMENTS_MAX, type MessageRequest, type Principal } from '@soma/contracts';
import { type FieldProblem, Problem } from '@soma/kernel';

/** Names that say whose data it is. A client may repeat what its credential says, and no more. */
const TENANT_KEYS = ['tenant', 'tenant_id'];
/** Names that the system writes into the metadata of a message. */
const SYSTEM_KEYS = ['action'];

/**
 * Refuses metadata that claims another tenant, or that only the system may write.
 *
 * @throws {@link Problem} 403 `tenant_mismatch`, 422 `reserved_metadata`
 */
export function checkMetadata(principal: Principal, metadata: MessageRequest['metadata']): void {
  const names = Object.keys(metadata ?? {});
  const foreign = names.filter(
    (name) => TENANT_KEYS.includes(name) && metadata?.[name] !== principal.tenant_id,
  );
  if (foreign.length > 0) {
    throw new Problem({
      status: 403,
      code: 'tenant_mismatch',
      detail: 'The metadata names another tenant than your credential. Leave the tenant out.',
      fields: metadataFields(foreign, 'is not the tenant of your credential'),
    });
  }
  const reserved = names.filter((name) => SYSTEM_KEYS.includes(name));
  if (reserved.length > 0) {
    throw new Problem({
      status: 422,
      code: 'reserved_metadata',
      detail: 'The metadata holds names that only the system writes. Use other names.',
      fields: metadataFields(reserved, 'is written by the system'),
    });
  }
}

function metadataFields(names: string[], message: string): FieldProblem[] {
  return names.map((name) => ({ path: `metadata.${name}`, message }));
}

/**
 * Refuses attachments outside of the tenant's own folder of the storage.
 *
 * @param bucket - The storage's bucket; undefined where there is no storage.
 * @throws {@link Problem} 422 `storage_not_configured`, 422 `invalid_attachments`
 */
export function checkAttachments(
  principal: Principal,
  attachments: readonly string[] = [],
  bucket: string | undefined,
): void {
  if (attachments.length === 0) {
    return;
  }
  if (bucket === undefined) {
    throw new Problem({
      status: 422,
      code: 'storage_not_configured',
      detail: 'This installation has no storage for attachments. Send the message without them.',
      fields: [{ path: 'attachments', message: 'cannot be used here' }],
    });
  }
  const fields = attachmentProblems(attachments, `s3://${bucket}/tenants/${principal.tenant_id}/`);
  if (fields.length > 0) {
    throw new Problem({
      status: 422,
      code: 'invalid_attachments',
      detail: 'Some attachments cannot be used. Upload them to your own folder and try again.',
      fields,
    });
  }
}

function attachmentProblems(attachments: readonly string[], folder: string): FieldProblem[] {
  if (attachments.length > ATTACHMENTS_MAX) {
    return [{ path: 'attachments', message: `must be at most ${ATTACHMENTS_MAX}` }];
  }
  return attachments.flatMap((url, index) =>
    isWithin(folder, url)
      ? []
      : [{ path: `attachments.${index}`, message: `must be a file below ${folder}` }],
  );
}

/**
 * Whether a URL names a file below a folder, whoever reads the URL.
 *
 * A storage takes a key letter by letter, but others decode and resolve it first. So what could mean
 * something else to them is refused: escapes, backslashes, queries, and segments that lead nowhere.
 */
function isWithin(folder: string, url: string): boolean {
  if (!url.startsWith(folder) || /[\\%?#\p{Cc}]/u.test(url)) {
    return false;
  }
  const segments = url.slice(folder.length).split('/');
  return segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}
