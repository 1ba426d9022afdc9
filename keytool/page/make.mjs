// Puts the page together: make.mjs LIBSODIUM_JS WRAPPERS_JS OUT. Its policy names each script by its hash, and lets nothing be fetched.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const [libsodium, wrappers, out] = process.argv.slice(2);
const here = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
const words = here("../../vault/phrase_words.txt").split("\n").filter((line) => /^[a-z]/.test(line));
if (words.length !== 7776) throw new Error("the list of words is not whole");

// Text inside <script> ends at the first "</script", wherever that stands.
const inline = (text) => text.replaceAll("</script", "<\\/script");
const scripts = [
  inline(readFileSync(libsodium, "utf8") + "\n" + readFileSync(wrappers, "utf8")),
  inline(here("page.js").replace("@WORDS@", () => words.join(" "))),
];
const style = here("page.css");
const hashOf = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const parts = {
  SCRIPT_HASHES: scripts.map(hashOf).join(" "),
  STYLE_HASH: hashOf(style),
  STYLE: style,
  LIBSODIUM: scripts[0],
  PAGE: scripts[1],
};
// Each once, from the front: what was put in is not looked at again.
writeFileSync(out, here("page.html").replace(/@([A-Z_]+)@/g, (all, name) => parts[name] ?? all));
