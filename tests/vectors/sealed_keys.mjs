// Vectors of tickets and sealed keys (vault/SEALED.md), made by JavaScript and libsodium's own JavaScript build, npm libsodium-wrappers-sumo (the one with Argon2id):
// nothing of Strongroom's is used but the words of phrases, vault/phrase_words.txt.
//   npm install libsodium-wrappers-sumo@0.8.4   in any directory; run this file from there
//   node …/sealed_keys.mjs make > …/sealed_keys.txt
//   node …/sealed_keys.mjs open PRIVATE_KEY_HEX TICKET_FILE BLOB_FILE     prints the key and both phrases: what our `keytool seal` made
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const sodium = createRequire(process.cwd() + "/")("libsodium-wrappers-sumo");
await sodium.ready;

const words = readFileSync(new URL("../../vault/phrase_words.txt", import.meta.url), "utf8").split("\n").filter((line) => /^[a-z]/.test(line));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

const withCheck = (text) => text + "check: " + sha256(text).subarray(0, 8).toString("hex") + "\n";

function phrase(text, salt) {
  const hash = sodium.crypto_pwhash(16, Buffer.from(text), Buffer.from(salt), 2, 64 << 20, sodium.crypto_pwhash_ALG_ARGON2ID13);
  let number = BigInt("0x" + Buffer.from(hash).toString("hex"));
  const chosen = [];
  for (let i = 0; i < 6; ++i) {
    chosen.push(words[Number(number % 7776n)]);
    number /= 7776n;
  }
  return chosen.join(" ");
}
const ticketPhrase = (text) => phrase(text, "sr-ticket-phrase");
const blobPhrase = (text) => phrase(text, "sr-sealed-phrase");

function ticketText(publicKey, fields) {
  return withCheck(
    `strongroom-ticket 1\nvault: ${fields.vault}\nticket: ${fields.ticket}\npublic-key: ${Buffer.from(publicKey).toString("base64")}\n` +
      `customer: ${fields.customer}\nprovider: ${fields.provider}\norigin: ${fields.origin}\nrotates: ${fields.rotates}\nexpires: ${fields.expires}\n`,
  );
}

function blobText(publicKey, fields, ticket, key) {
  const box = sodium.crypto_box_seal(Buffer.concat([Buffer.from([1]), sha256(ticket), Buffer.from(key)]), publicKey);
  const lines = Buffer.from(box).toString("base64").match(/.{1,64}/g).map((line) => `box: ${line}\n`).join("");
  return withCheck(`strongroom-sealed-key 1\nvault: ${fields.vault}\nticket: ${fields.ticket}\n${lines}`);
}

const cases = [
  [{ vault: "00112233445566778899aabbccddeeff", ticket: "0123456789abcdef", customer: "ACME", provider: "anthropic",
     origin: "https://api.anthropic.com:443", rotates: "none", expires: "2026-12-04T08:00:00Z" }, "sk-ant-acme-0123456789abcdef"],
  [{ vault: "ffeeddccbbaa99887766554433221100", ticket: "fedcba9876543210", customer: "B_1", provider: "openai",
     origin: "https://[::1]:8443", rotates: "B_1/openai/spare.2/41", expires: "2030-01-01T23:59:59Z" }, "x".repeat(20)],
  [{ vault: "0".repeat(32), ticket: "f".repeat(16), customer: "HOUSE", provider: "openai", origin: "https://models.example:443",
     rotates: "none", expires: "2026-02-28T00:00:00Z" }, "!~".repeat(1000)],
];

if (process.argv[2] === "make") {
  console.log("# Made by sealed_keys.mjs: private key, key, ticket, phrase of the ticket, sealed key, phrase of the sealed key; in hexadecimal");
  for (const [fields, key] of cases) {
    const pair = sodium.crypto_box_keypair();
    const ticket = ticketText(pair.publicKey, fields);
    const blob = blobText(pair.publicKey, fields, ticket, key);
    const hex = (value) => Buffer.from(value).toString("hex");
    console.log([pair.privateKey, key, ticket, ticketPhrase(ticket), blob, blobPhrase(blob)].map(hex).join("\t"));
  }
} else if (process.argv[2] === "open") {
  const privateKey = Buffer.from(process.argv[3], "hex");
  const [ticket, blob] = [4, 5].map((at) => readFileSync(process.argv[at], "utf8"));
  for (const text of [ticket, blob]) {
    if (withCheck(text.replace(/check: .*\n$/, "")) !== text) throw new Error("the check line does not fit");
  }
  const box = Buffer.from([...blob.matchAll(/^box: (.*)$/gm)].map((match) => match[1]).join(""), "base64");
  const opened = Buffer.from(sodium.crypto_box_seal_open(box, sodium.crypto_scalarmult_base(privateKey), privateKey));
  if (opened[0] !== 1 || !opened.subarray(1, 33).equals(sha256(ticket))) throw new Error("the box is for another ticket");
  console.log(`${opened.subarray(33)}\n${ticketPhrase(ticket)}\n${blobPhrase(blob)}`);
} else {
  console.error("sealed_keys.mjs make | open PRIVATE_KEY_HEX TICKET_FILE BLOB_FILE");
  process.exitCode = 2;
}
