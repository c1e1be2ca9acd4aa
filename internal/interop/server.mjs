// The authorization server oidc-provider and an API that trusts it, on one plain and two TLS listeners of the loopback interface.
// Settings: lifetime (seconds), clients (oidc-provider's client metadata), tls {key, cert, ca} (PEM), resource (its identifier).
import './url-parse.mjs';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import Provider, { errors } from 'oidc-provider';
import { Api } from './api.mjs';
import { listen, ready, settings } from './stdin.mjs';

const { lifetime, clients, tls, resource } = await settings;

let handle;
const plain = http.createServer((req, res) => handle(req, res));
// Whether a certificate is good enough is for the client's authentication method to say, not for the handshake.
const secure = https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, (req, res) => handle(req, res));
const issuer = await listen(plain, 'http');
const mtls = await listen(secure, 'https');
const unasked = await listen(https.createServer(tls, (req, res) => handle(req, res)), 'https'); // as behind a proxy

// The API's own client: it introspects and, in the role of an administrator, revokes.
const keeper = { client_id: 'api', client_secret: randomBytes(24).toString('base64url') };

const provider = new Provider(issuer, {
  clients: [
    { ...keeper, token_endpoint_auth_method: 'client_secret_basic', grant_types: [], response_types: [], redirect_uris: [] },
    ...clients.map((client) => ({ grant_types: ['client_credentials'], response_types: [], redirect_uris: [], ...client })),
  ],
  scopes: ['read', 'write'],
  ttl: { ClientCredentials: lifetime },
  clientAuthMethods: [
    'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
    'tls_client_auth', 'self_signed_tls_client_auth',
  ],
  enabledJWA: {
    clientAuthSigningAlgValues: ['HS256', 'RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
    dPoPSigningAlgValues: ['ES256', 'PS256', 'EdDSA', 'Ed25519'], // not RS256: an RSA key has to follow the metadata
  },
  discovery: { mtls_endpoint_aliases: { token_endpoint: `${mtls}/token` } },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: (ctx) => wantsNonce(ctx.oidc.client?.clientId) },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      getCertificate: (ctx) => certificate(ctx.req),
      certificateAuthorized: (ctx) => ctx.req.socket.authorized === true,
      certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_san_dns'
        && (certificate(ctx.req).subjectAltName ?? '').split(', ').includes(`DNS:${expected}`),
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, asked) => {
        if (asked !== resource) throw new errors.InvalidTarget();
        return { scope: 'read write', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: lifetime, jwt: { sign: { alg: 'RS256' } } };
      },
    },
  },
});

function certificate(req) {
  return req.socket.getPeerX509Certificate?.();
}

function wantsNonce(clientId) {
  return clientId?.includes('nonce') === true;
}

const api = new Api({
  issuer,
  resource,
  keeper,
  wantsNonce,
  thumbprint: (req) => {
    const cert = certificate(req);
    return cert && createHash('sha256').update(cert.raw).digest('base64url');
  },
});
const authorizationServer = provider.callback();
handle = (req, res) => (req.url.startsWith('/api') ? api.handle(req, res) : authorizationServer(req, res));

ready({ issuer, token: `${issuer}/token`, api: `${issuer}/api`, mtls_token: `${mtls}/token`, tls_token: `${unasked}/token`, mtls_api: `${mtls}/api`, revoke: `${issuer}/api/revoke` });
