// @node-oauth/oauth2-server with tokens in memory, and an API behind its authenticate.
// Settings: lifetime (seconds), clients ({id, secret}).
import { once } from 'node:events';
import http from 'node:http';
import OAuth2Server from '@node-oauth/oauth2-server';
import { listen, ready, settings } from './stdin.mjs';

const { lifetime, clients } = await settings;
const tokens = new Map();

const oauth = new OAuth2Server({
  accessTokenLifetime: lifetime,
  model: {
    getClient: async (id, secret) => {
      const client = clients.find((c) => c.id === id && c.secret === secret);
      return client && { id, grants: client.grants ?? ['client_credentials'] };
    },
    getUserFromClient: async (client) => ({ id: client.id }),
    validateScope: async (user, client, scope) => ((scope ?? []).every((s) => s === 'read') ? scope ?? ['read'] : false),
    saveToken: async (token, client, user) => {
      const saved = { ...token, client, user };
      tokens.set(token.accessToken, saved);
      return saved;
    },
    getAccessToken: async (token) => tokens.get(token),
  },
});

async function body(req) {
  let text = '';
  req.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
  await once(req, 'end');
  return text;
}

async function answer(res, response, content) {
  for (const [name, value] of Object.entries(response.headers)) res.setHeader(name, value);
  res.writeHead(response.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(content));
}

const server = http.createServer(async (req, res) => {
  const text = await body(req);
  const request = new OAuth2Server.Request({
    headers: req.headers, method: req.method, query: {}, body: req.url === '/token' ? Object.fromEntries(new URLSearchParams(text)) : {},
  });
  const response = new OAuth2Server.Response();
  try {
    switch (req.url) {
      case '/token':
        await oauth.token(request, response);
        return answer(res, response, response.body);
      case '/api':
        await oauth.authenticate(request, response);
        return answer(res, response, { body: text });
      case '/revoke':
        tokens.delete(text);
        return res.writeHead(204).end();
      default:
        return res.writeHead(404).end();
    }
  } catch (err) {
    response.status = err.code ?? 500;
    return answer(res, response, response.body?.error ? response.body : { error: err.name, error_description: err.message });
  }
});
const origin = await listen(server, 'http');
ready({ token: `${origin}/token`, api: `${origin}/api`, revoke: `${origin}/revoke` });
