import { z } from 'zod';
import { type ConnectionType, secretField, textField, urlField } from './connection-type.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html */
export const s3: ConnectionType = {
  name: 's3',
  title: 'S3',
  description: 'A bucket at Amazon S3 or whatever speaks its protocol.',
  fields: z.strictObject({
    endpoint: urlField('Where the storage is. Unset: Amazon.').optional(),
    region: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/, 'must be the name of a region')
      .default('us-east-1')
      .meta({ description: 'The region of the bucket.' }),
    bucket: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
      .meta({ description: 'The bucket.' }),
    access_key_id: textField('The id of the access key.'),
    secret_access_key: secretField('Its secret.'),
    session_token: secretField('For a key that ends by itself.').optional(),
  }),
};
