/* A fast provider: it answers each refresh at once, with another pair of tokens. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const { PORT = '0' } = process.env;

createServer((request, response) => {
  request.resume().once('end', () => {
    const body = JSON.stringify({
      access_token: randomBytes(32).toString('base64url'),
      refresh_token: randomBytes(32).toString('base64url'),
      token_type: 'Bearer',
      expires_in: 3600,
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  });
}).listen(Number(PORT), '127.0.0.1', () => process.send?.('ready'));
