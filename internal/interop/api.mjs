// A protected resource: it asks the authorization server about opaque tokens (RFC 7662), checks the signature of JWTs (RFC 9068),
// checks what either is bound to (RFC 8705, RFC 9449), and answers with challenges (RFC 6750). /api/write asks for the scope write.
import { createHash, randomBytes } from 'node:crypto';
import { EmbeddedJWK, calculateJwkThumbprint, createRemoteJWKSet, jwtVerify } from 'jose';

const form = { 'content-type': 'application/x-www-form-urlencoded' };

export class Api {
  #issuer;
  #resource;
  #wantsNonce;
  #thumbprint;
  #authorization;
  #jwks;
  #nonce = randomBytes(16).toString('base64url');
  #proofs = new Set();
  #denied = new Set(); // JWTs, which the authorization server cannot revoke

  constructor({ issuer, resource, keeper, wantsNonce, thumbprint }) {
    this.#issuer = issuer;
    this.#resource = resource;
    this.#wantsNonce = wantsNonce;
    this.#thumbprint = thumbprint;
    this.#authorization = `Basic ${Buffer.from(`${keeper.client_id}:${keeper.client_secret}`).toString('base64')}`;
    this.#jwks = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  }

  async handle(req, res) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    try {
      if (req.url === '/api/revoke') {
        await this.#revoke(body);
        return this.#answer(res, 200, {});
      }
      const token = await this.#check(req);
      if (req.url === '/api/write' && !token.scope?.split(' ').includes('write')) {
        const scheme = token.cnf?.jkt ? 'DPoP' : 'Bearer realm="api",';
        throw new Challenge(`${scheme} error="insufficient_scope", scope="write"`, undefined, 403);
      }
      return this.#answer(res, 200, { client_id: token.client_id, scope: token.scope, bound: Object.keys(token.cnf ?? {}), body });
    } catch (err) {
      if (!(err instanceof Challenge)) return this.#answer(res, 500, { error: String(err) });
      res.setHeader('WWW-Authenticate', err.message);
      if (err.nonce) res.setHeader('DPoP-Nonce', err.nonce);
      return this.#answer(res, err.status, {});
    }
  }

  #answer(res, status, value) {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  }

  async #check(req) {
    const [scheme = '', value = ''] = (req.headers.authorization ?? '').split(' ');
    if (!value) throw new Challenge('Bearer realm="api", DPoP algs="ES256 PS256 EdDSA Ed25519"');
    const token = await this.#token(value);
    if (!token) throw new Challenge(`${scheme === 'DPoP' ? 'DPoP' : 'Bearer realm="api",'} error="invalid_token"`);

    const { jkt, 'x5t#S256': x5t } = token.cnf ?? {};
    if ((scheme === 'DPoP') !== Boolean(jkt)) throw new Challenge('Bearer error="invalid_token", error_description="wrong scheme for the token"');
    if (jkt) await this.#proof(req, value, token);
    if (x5t && x5t !== this.#thumbprint(req)) throw new Challenge('Bearer error="invalid_token", error_description="bound to another certificate"');
    return token;
  }

  async #token(value) {
    if (value.split('.').length === 3) {
      if (this.#denied.has(value)) return undefined;
      try {
        return (await jwtVerify(value, this.#jwks, { issuer: this.#issuer, audience: this.#resource, typ: 'at+jwt' })).payload;
      } catch {
        return undefined;
      }
    }
    const answer = await this.#ask('/token/introspection', value);
    return answer.active ? answer : undefined;
  }

  async #proof(req, value, token) {
    const challenge = (error, nonce) => new Challenge(`DPoP error="${error}", algs="ES256 PS256 EdDSA Ed25519"`, nonce);
    let payload;
    let protectedHeader;
    try {
      ({ payload, protectedHeader } = await jwtVerify(req.headers.dpop, EmbeddedJWK, { typ: 'dpop+jwt', maxTokenAge: 30 }));
    } catch {
      throw challenge('invalid_dpop_proof');
    }
    const url = `${req.socket.encrypted ? 'https' : 'http'}://${req.headers.host}${req.url.split('?')[0]}`;
    const ath = createHash('sha256').update(value).digest('base64url');
    const good = payload.htm === req.method && payload.htu === url && payload.ath === ath
      && await calculateJwkThumbprint(protectedHeader.jwk) === token.cnf.jkt
      && payload.jti && !this.#proofs.has(payload.jti);
    if (!good) throw challenge('invalid_dpop_proof');
    this.#proofs.add(payload.jti);
    if (this.#wantsNonce(token.client_id) && payload.nonce !== this.#nonce) throw challenge('use_dpop_nonce', this.#nonce);
  }

  async #revoke(value) {
    if (value.split('.').length === 3) this.#denied.add(value);
    else await this.#ask('/token/revocation', value);
  }

  async #ask(path, token) {
    const res = await fetch(this.#issuer + path, {
      method: 'POST', headers: { ...form, authorization: this.#authorization }, body: new URLSearchParams({ token }),
    });
    if (!res.ok) throw new Error(`${path}: ${res.status}`);
    return res.headers.get('content-type')?.includes('json') ? res.json() : {};
  }
}

class Challenge extends Error {
  constructor(value, nonce, status = 401) {
    super(value);
    this.nonce = nonce;
    this.status = status;
  }
}
