import { AwsV4Signer } from 'aws4fetch';
import { z } from 'zod';
import { type Probe, ProbeFailure } from '../probe.ts';

const REFUSED = new Set([400, 401, 403]);

/** The plain fields of the type `s3`. */
const fieldsSchema = z.object({
  endpoint: z.string().optional(),
  region: z.string(),
  bucket: z.string(),
  access_key_id: z.string(),
});

/** Asks whether the bucket is there: HeadBucket. */
export const probeS3: Probe = async (target, { outbound, signal }) => {
  const {
    endpoint,
    region,
    bucket,
    access_key_id: accessKeyId,
  } = fieldsSchema.parse(target.fields);
  const [secretAccessKey = '', sessionToken] = ['secret_access_key', 'session_token'].map((field) =>
    target.credentials.get(field)?.reveal(),
  );
  const base = endpoint ?? `https://s3.${region}.amazonaws.com`;
  const { url, method, headers } = await new AwsV4Signer({
    url: `${base.replace(/\/$/, '')}/${bucket}`,
    ...{ method: 'HEAD', service: 's3', region, accessKeyId, secretAccessKey },
    ...(sessionToken !== undefined && { sessionToken }),
  }).sign();
  const { status } = await outbound.fetch(url, { method, headers, signal, redirect: 'manual' });
  if (status !== 200) {
    // To HEAD nobody says more: 400 is a token that has ended, 403 a key or a right that is missing.
    throw new ProbeFailure(REFUSED.has(status) ? 'credential_refused' : 'unexpected_answer');
  }
  return true;
};
