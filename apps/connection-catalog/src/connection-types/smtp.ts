import { z } from 'zod';
import {
  type ConnectionType,
  hostField,
  portField,
  secretField,
  textField,
} from './connection-type.ts';

/** Sending mail. */
export const smtp: ConnectionType = {
  name: 'smtp',
  title: 'Mail (SMTP)',
  description: 'A server that mail is sent by.',
  fields: z.strictObject({
    host: hostField('The server.'),
    port: portField('465 is TLS from the start; any other port turns to it by STARTTLS.').default(
      587,
    ),
    username: textField('The account. Unset: the server asks for none.').optional(),
    password: secretField('Its password.').optional(),
  }),
};
