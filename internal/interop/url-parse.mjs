// oidc-provider is written for Node.js 22 and needs one function that Node.js 20 has not: URL.parse, a `new URL` that does not throw.
URL.parse ??= (url, base) => (URL.canParse(url, base) ? new URL(url, base) : null);
