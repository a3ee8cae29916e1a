// An LTI 1.3 platform's side, played with npm's jose: signs launches, checks
// what the tool signs. Standard input, a line of JSON for each question, and a
// line of answer for each: {do: "jwks"}, {do: "sign", claims, alg, kid, typ},
// {do: "verify", token, jwks, issuer, audience, options}, where jwks are keys or
// the URL from which jose fetches them. The first line names the folder of the
// modules.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { modules } = JSON.parse((await lines.next()).value);
const entry = join(modules, "jose", "dist", "node", "esm", "index.js");
const jose = await import(pathToFileURL(entry).href);

const keys = {};
for (const alg of ["RS256", "ES256", "PS256"]) {
    const pair = await jose.generateKeyPair(alg, { extractable: true });
    keys[alg] = { ...pair, kid: `platform-${alg}` };
}

const answers = {
    async jwks() {
        return { keys: await Promise.all(Object.entries(keys).map(
            async ([alg, { publicKey, kid }]) => ({
                ...await jose.exportJWK(publicKey), alg, kid,
                use: "sig" }))) };
    },

    async sign({ claims, alg = "RS256", kid, typ = "JWT" }) {
        return { token: await new jose.SignJWT(claims)
            .setProtectedHeader({ alg, kid: kid ?? keys[alg].kid, typ })
            .sign(keys[alg].privateKey) };
    },

    async verify({ token, jwks, issuer, audience, options = {} }) {
        const keys = typeof jwks === "string"
            ? jose.createRemoteJWKSet(new URL(jwks))
            : jose.createLocalJWKSet(jwks);
        const { payload, protectedHeader } = await jose.jwtVerify(
            token, keys, { issuer, audience, ...options });
        return { payload, header: protectedHeader };
    },
};

console.log(JSON.stringify({ ready: true }));
for await (const line of lines) {
    const question = JSON.parse(line);
    try {
        console.log(JSON.stringify(await answers[question.do](question)));
    } catch (error) {
        console.log(JSON.stringify({ error: error.code ?? error.message }));
    }
}
