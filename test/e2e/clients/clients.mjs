// Microsoft's clients for JavaScript and a JOSE library, for end-to-end tests: reads one JSON object
// a line, {"op": ...}, and answers each with one, {"error", "message"} when a library threw. A device
// login writes {"user_code"} before its answer.
import { createInterface } from 'node:readline';
import { SecretClient } from '@azure/keyvault-secrets';
import {
  ConfidentialClientApplication, CryptoProvider, PublicClientApplication,
} from '@azure/msal-node';
import * as jose from 'jose';

const tell = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const confidential = ({ auth }) => new ConfidentialClientApplication({ auth });

async function device({ auth, scopes }) {
  const app = new PublicClientApplication({ auth });
  const { account, scopes: granted } = await app.acquireTokenByDeviceCode({
    scopes, deviceCodeCallback: (login) => tell({ user_code: login.userCode }),
  });
  const renewed = await app.acquireTokenSilent({ account, scopes, forceRefresh: true });
  return { home: account.homeAccountId, granted, accessToken: renewed.accessToken };
}

const browserClient = ({ auth }) => (auth.clientSecret ? confidential({ auth })
  : new PublicClientApplication({ auth }));

async function codeUrl({ auth, request }) {
  const crypto = new CryptoProvider();
  const { verifier, challenge } = await crypto.generatePkceCodes();
  const state = crypto.createNewGuid();
  const url = await browserClient({ auth }).getAuthCodeUrl(
    { ...request, state, codeChallenge: challenge, codeChallengeMethod: 'S256' });
  return { url, verifier, state };
}

async function code({ auth, request }) {
  const app = browserClient({ auth });
  const { account } = await app.acquireTokenByCode(request);
  const renewed = await app.acquireTokenSilent(
    { account, scopes: request.scopes, forceRefresh: true });
  return { home: account.homeAccountId, accessToken: renewed.accessToken };
}

// The vault's client asks for tokens by MSAL, for the audience that the vault's challenge names.
async function vault({ url, auth, name, value }) {
  const app = confidential({ auth });
  const credential = {
    getToken: async (scope) => {
      const made = await app.acquireTokenByClientCredential({ scopes: [scope].flat() });
      return { token: made.accessToken, expiresOnTimestamp: made.expiresOn.getTime() };
    },
  };
  const client = new SecretClient(url, credential,
    { disableChallengeResourceVerification: true, retryOptions: { maxRetries: 0 } });
  if (value !== undefined) await client.setSecret(name, value);
  const secret = await client.getSecret(name);
  const versions = [];
  for await (const each of client.listPropertiesOfSecretVersions(name)) versions.push(each.version);
  return { value: secret.value, version: secret.properties.version, versions };
}

const operations = {
  app: (question) => confidential(question).acquireTokenByClientCredential(question.request),
  onBehalfOf: (question) => confidential(question).acquireTokenOnBehalfOf(question.request),
  device,
  codeUrl,
  code,
  vault,
  verifyBySet: async ({ token, keys, options }) =>
    (await jose.jwtVerify(token, jose.createLocalJWKSet(keys), options)).payload,
  verifyByCertificate: async ({ token, certificate, options }) => {
    const key = await jose.importX509(certificate, options.algorithms[0]);
    const { payload, protectedHeader } = await jose.jwtVerify(token, key, options);
    return { payload, header: protectedHeader };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  try {
    tell(await operations[question.op](question));
  } catch (error) {
    tell({ error: error.errorCode ?? error.code ?? error.name, message: error.message });
  }
}
