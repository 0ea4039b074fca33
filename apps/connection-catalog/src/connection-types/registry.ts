import { anthropic } from './anthropic.ts';
import { braveSearch } from './brave-search.ts';
import type { ConnectionType } from './connection-type.ts';
import { database } from './database.ts';
import { gemini } from './gemini.ts';
import { genericHttp } from './generic-http.ts';
import { github } from './github.ts';
import { mcp } from './mcp.ts';
import { meta } from './meta.ts';
import { oauthApp } from './oauth-app.ts';
import { openai } from './openai.ts';
import { openaiCompatible } from './openai-compatible.ts';
import { openrouter } from './openrouter.ts';
import { s3 } from './s3.ts';
import { searxng } from './searxng.ts';
import { slack } from './slack.ts';
import { smtp } from './smtp.ts';
import { standardWebhooks } from './standard-webhooks.ts';
import { stripe } from './stripe.ts';
import { telegram } from './telegram.ts';
import { webhook } from './webhook.ts';

/** Every type that is written in code. A new one is a file beside this and a line here. */
export const builtInTypes: readonly ConnectionType[] = [
  anthropic,
  braveSearch,
  database,
  gemini,
  genericHttp,
  github,
  mcp,
  meta,
  oauthApp,
  openai,
  openaiCompatible,
  openrouter,
  s3,
  searxng,
  slack,
  smtp,
  standardWebhooks,
  stripe,
  telegram,
  webhook,
];
