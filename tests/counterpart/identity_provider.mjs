// npm's oidc-provider as identity providers of pupils who do not exist.
// Standard input, one line of JSON: {modules, accounts: {login: claims},
// providers: {name: {clients: [...], conform}}}. Prints their issuers, then a
// line for each thing that a test may want to know. Ends with standard input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { generateKeyPairSync } from "node:crypto";

const lines = createInterface({ input: process.stdin });
const settings = JSON.parse(await new Promise(
    resolve => lines.once("line", resolve)));
const entry = join(settings.modules, "oidc-provider", "lib", "index.js");
const { default: Provider } = await import(pathToFileURL(entry).href);

function key(kid, type, options, alg) {
    const { privateKey } = generateKeyPairSync(type, options);
    return { ...privateKey.export({ format: "jwk" }), kid, alg, use: "sig" };
}

// All have the same keys, as the tenants of one service may.
const keys = [
    key("rsa", "rsa", { modulusLength: 2048 }, "RS256"),
    key("pss", "rsa", { modulusLength: 2048 }, "PS256"),
    key("ec", "ec", { namedCurve: "P-256" }, "ES256")];

async function serve(name, { clients, conform }) {
    const server = createServer();
    await new Promise(resolve => server.listen(0, "127.0.0.1", resolve));
    const issuer = `http://127.0.0.1:${server.address().port}`;
    const provider = new Provider(issuer, {
        clients,
        claims: { openid: ["sub", "eckid", "org", "role"] },
        conformIdTokenClaims: conform === true,
        findAccount: (_, id) => settings.accounts[id] && ({
            accountId: id,
            claims: async () => ({ sub: id, ...settings.accounts[id] }) }),
        jwks: { keys },
        // a browser does not tell the ports of one address apart
        cookies: { keys: ["not a secret: a test"], names: {
            session: `${name}_session`, resume: `${name}_resume`,
            interaction: `${name}_interaction` } },
        features: {
            devInteractions: { enabled: true },
            backchannelLogout: { enabled: true },
            rpInitiatedLogout: { enabled: true },
            claimsParameter: { enabled: true } },
        pkce: { required: () => true },
        enabledJWA: {
            idTokenSigningAlgValues: ["RS256", "ES256", "PS256"] },
        ttl: { Session: 3600, Grant: 3600, Interaction: 600, IdToken: 600,
               AccessToken: 600 } });
    for (const event of ["backchannel.success", "backchannel.error",
                         "grant.success", "grant.error", "server_error"]) {
        provider.on(event, (...what) => console.log(JSON.stringify({
            event, provider: name,
            why: what.map(one => one?.error_description ?? one?.message)
                .filter(Boolean).join("; ") })));
    }
    server.on("request", provider.callback());
    return issuer;
}

const issuers = {};
for (const [name, one] of Object.entries(settings.providers)) {
    issuers[name] = await serve(name, one);
}
console.log(JSON.stringify({ issuers }));
lines.on("close", () => process.exit(0));
