// oauth2-mock-server: it gives a signed JWT to whoever asks and checks no credentials.
// Settings: lifetime (seconds).
import { randomUUID } from 'node:crypto';
import { OAuth2Server } from 'oauth2-mock-server';
import { ready, settings } from './stdin.mjs';

const { lifetime } = await settings;

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
server.service.on('beforeTokenSigning', ({ payload }) => {
  payload.exp = payload.iat + lifetime;
  payload.jti = randomUUID(); // without it, two tokens of the same second are one
});
server.service.on('beforeResponse', ({ body }) => {
  body.expires_in = lifetime;
});
await server.start(0, '127.0.0.1');

const origin = `http://127.0.0.1:${server.address().port}`;
ready({ issuer: server.issuer.url, token: `${origin}/token`, jwks: `${origin}/jwks` });
