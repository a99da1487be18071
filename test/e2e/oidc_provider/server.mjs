// npm oidc-provider behind routes and claims in the shape of Entra's, for end-to-end tests.
//
// Usage: node server.mjs CONFIG.json, with
//   {"tenant_id", "key", "certificate": PEM files of the TLS server, "control": a Unix socket's path,
//    "user": object id, "clients": [{"client_id", "scopes": [...], "certificate"?: PEM file}]}
// Prints {"authority": "https://localhost:PORT"} when it serves. What is here is configuration of
// the provider; the protocol is its own.
import { createPublicKey, generateKeyPairSync, randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const settings = { access_token_ttl: 3600 };
const issued = []; // refresh tokens, in order

const server = https.createServer({
  key: readFileSync(config.key), cert: readFileSync(config.certificate),
});
await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
const authority = `https://localhost:${server.address().port}`;
const mount = `/${config.tenant_id}`;
const graph = authority; // one host plays both; only tokens are asked of it

const full = (scopes) => scopes.map((scope) => `${graph}/${scope}`);
const scopesOf = (clientId) => config.clients.find((at) => at.client_id === clientId).scopes;

function client(entry) {
  const common = { client_id: entry.client_id, redirect_uris: [], response_types: [] };
  if (!entry.certificate) {
    return {
      ...common, application_type: 'native', token_endpoint_auth_method: 'none',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    };
  }
  const { publicKey } = new X509Certificate(readFileSync(entry.certificate));
  const jwk = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))
    .export({ format: 'jwk' });
  return {
    ...common, grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'PS256',
    jwks: { keys: [{ ...jwk, use: 'sig', alg: 'PS256' }] },
  };
}

// Version 1.0 claims, as Entra's Graph tokens have them.
function entraClaims(token, jwt) {
  const { payload } = jwt;
  const names = scopesOf(token.clientId);
  const person = token.kind === 'AccessToken';
  Object.assign(payload, {
    aud: graph, tid: config.tenant_id, appid: token.clientId, nbf: payload.iat, ver: '1.0',
    uti: payload.jti, oid: person ? token.accountId : token.clientId,
    idtyp: person ? 'user' : 'app',
  });
  if (person) payload.scp = [...names, 'openid', 'profile', 'email'].join(' ');
  else payload.roles = names;
  delete payload.scope;
  return jwt;
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(`${authority}${mount}`, {
  clients: config.clients.map(client),
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  routes: {
    token: '/oauth2/v2.0/token', device_authorization: '/oauth2/v2.0/devicecode',
    jwks: '/discovery/v2.0/keys', revocation: '/oauth2/v2.0/revoke', code_verification: '/device',
  },
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => graph,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource, at) => ({
        audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
        scope: [`${graph}/.default`, ...scopesOf(at.clientId), ...full(scopesOf(at.clientId))]
          .join(' '),
      }),
    },
  },
  formats: { customizers: { jwt: (_, token, jwt) => entraClaims(token, jwt) } },
  rotateRefreshToken: true, // each refresh token once; its reuse ends the grant
  issueRefreshToken: async (_, __, code) => code.scopes.has('offline_access'),
  ttl: {
    AccessToken: () => settings.access_token_ttl,
    ClientCredentials: () => settings.access_token_ttl,
    DeviceCode: 900, Grant: 86400, IdToken: 3600, RefreshToken: 86400,
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});
provider.use(async (ctx, next) => {
  await next();
  if (ctx.body?.refresh_token) issued.push(ctx.body.refresh_token);
});

const serve = provider.callback();
server.on('request', (request, response) => {
  if (!request.url.startsWith(`${mount}/`)) {
    response.writeHead(404).end();
    return;
  }
  request.originalUrl = request.url;
  request.url = request.url.slice(mount.length);
  serve(request, response);
});

// The person at the login page: signs in and grants what the registration is consented to.
async function approve(userCode, accountId) {
  const normalized = userCode.replace(/[^A-Z0-9]/gi, '').toUpperCase();
  const code = await provider.DeviceCode.findByUserCode(normalized);
  if (!code) throw new Error('no pending login has this code');
  const names = scopesOf(code.clientId);
  const scopes = ['openid', 'profile', 'offline_access', ...names, ...full(names)];
  const grant = new provider.Grant({ accountId, clientId: code.clientId });
  grant.addOIDCScope('openid profile offline_access');
  grant.addResourceScope(graph, scopes.join(' '));
  Object.assign(code, {
    accountId, grantId: await grant.save(), scope: scopes.join(' '), resource: graph,
    authTime: Math.floor(Date.now() / 1000), sessionUid: randomUUID(),
  });
  await code.save();
  return { approved: true };
}

const control = {
  'POST /approve': (body) => approve(body.user_code, body.user ?? config.user),
  'POST /settings': async (body) => Object.assign(settings, body),
  'GET /refresh_tokens': async () => issued,
};

http.createServer(async (request, response) => {
  try {
    let text = '';
    for await (const chunk of request) text += chunk;
    const act = control[`${request.method} ${request.url}`];
    const answer = await act(text ? JSON.parse(text) : {});
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  } catch (error) {
    response.writeHead(400).end(JSON.stringify({ error: String(error) }));
  }
}).listen(config.control, () => {
  process.stdout.write(`${JSON.stringify({ authority, graph })}\n`);
});
