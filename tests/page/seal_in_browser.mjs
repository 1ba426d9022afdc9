// Seals a key with the page in a real browser, as a customer would, and holds the page to what it says of itself.
//   node seal_in_browser.mjs PAGE TICKET_FILE PHRASE KEY_FILE BLOB_FILE      prints the sealed key's check phrase
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [page, ticketFile, phrase, keyFile, blobFile] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "seal-page-"));
const browser = spawn("chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
  "--disable-background-networking", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], env: { ...process.env, HOME: profile } });

// The browser's debugging protocol: JSON, each message ended by a zero byte.
const waiting = new Map(), requests = [];
let number = 0, rest = "", session;
browser.stdio[4].on("data", (data) => {
  const parts = (rest + data).split("\0");
  rest = parts.pop();
  for (const part of parts) {
    const message = JSON.parse(part);
    if (message.method === "Network.requestWillBeSent") requests.push(message.params.request.url);
    if (!waiting.has(message.id)) continue;
    const { resolve, reject } = waiting.get(message.id);
    waiting.delete(message.id);
    message.error ? reject(new Error(message.error.message)) : resolve(message.result);
  }
});
const gone = new Promise((_, reject) => {
  browser.on("error", reject);
  browser.on("exit", (code) => reject(new Error(`chromium ended: ${code}`)));
});
gone.catch(() => {});
function ask(method, params = {}) {
  const id = ++number;
  browser.stdio[3].write(JSON.stringify({ id, method, params, ...(session ? { sessionId: session } : {}) }) + "\0");
  return Promise.race([gone, new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))]);
}
async function run(expression) {
  const answer = await ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
  if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
  return answer.result.value;
}
async function until(what, expression) {
  for (const limit = Date.now() + 60_000; Date.now() < limit;) {
    if (await run(expression)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`this did not come: ${what}; the page says: ${await run("document.body.innerText")}`);
}
function expect(what, holds) {
  if (!holds) throw new Error(`this does not hold: ${what}`);
}
const text = (id) => run(`document.getElementById("${id}").textContent`);
const hidden = (id) => run(`document.getElementById("${id}").hidden`);
const press = (id) => run(`document.getElementById("${id}").click()`);
// type replaces what stands in a field, as a paste does.
async function type(id, value) {
  await run(`document.getElementById("${id}").focus(); document.getElementById("${id}").select()`);
  await ask("Input.insertText", { text: value });
}

async function story() {
  const ticket = readFileSync(ticketFile, "utf8"), key = readFileSync(keyFile, "utf8").trim();
  const { targetInfos } = await ask("Target.getTargets");
  session = (await ask("Target.attachToTarget", { targetId: targetInfos.find((one) => one.type === "page").targetId, flatten: true })).sessionId;
  await ask("Network.enable");
  await ask("Network.emulateNetworkConditions", { offline: true, latency: 0, downloadThroughput: 0, uploadThroughput: 0 });
  await ask("Page.enable");
  const address = pathToFileURL(page).href;
  await ask("Page.navigate", { url: address });
  await until("the page is ready", `document.body?.dataset.ready === "yes"`);

  await type("ticket", ticket.slice(0, 200));
  expect("a cut ticket is refused", (await run(`document.getElementById("told").className`)) === "wrong" && (await hidden("phrase-step")));
  await type("ticket", ticket.replace("customer: ", "customer: X"));
  expect("an altered ticket is refused", await hidden("phrase-step"));
  await type("ticket", ticket.replaceAll("\n", "\r\n"));
  await until("the ticket is taken", `!document.getElementById("phrase-step").hidden`);
  expect("it says whose key is meant", (await text("told")).includes(/customer: (.*)/.exec(ticket)[1]));

  await type("phrase", "abacus abacus abacus abacus abacus abacus");
  await press("check");
  expect("a wrong phrase is refused", (await text("compared")).includes("swapped") && (await hidden("key-step")));
  await type("phrase", phrase.toUpperCase());
  await press("check");
  await until("the phrase is taken", `!document.getElementById("key-step").hidden`);

  expect("the key does not show", (await run(`document.getElementById("key").type`)) === "password");
  await type("key", key + " ");
  await press("seal");
  expect("a key with a blank is refused", (await text("sealed")).includes("blank") && (await hidden("blob-step")));
  await type("key", key);
  await press("seal");
  await until("the key is sealed", `!document.getElementById("blob-step").hidden`);
  const blob = await run(`document.getElementById("blob").value`);
  expect("the field of the key is empty again", (await run(`document.getElementById("key").value`)) === "");
  expect("the page holds the key nowhere", !(await run("document.documentElement.outerHTML")).includes(key));
  expect("the file to save is the sealed key", decodeURIComponent(await run(`document.getElementById("download").href.split(",")[1]`)) === blob);

  expect("nothing was fetched", requests.every((url) => url === address || url.startsWith("data:")));
  const refused = await run(`new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
    fetch("https://example.com/").catch(() => setTimeout(() => resolve("tried"), 500));
  })`);
  expect("the page's policy lets nothing be fetched", refused === "connect-src");
  expect("nothing is stored", (await run("localStorage.length + sessionStorage.length")) === 0);
  writeFileSync(blobFile, blob);
  return text("blob-phrase");
}

try {
  console.log(await story());
} catch (problem) {
  console.error(`seal_in_browser: ${problem.message}`);
  process.exitCode = 1;
} finally {
  browser.removeAllListeners("exit");
  browser.kill("SIGKILL");
  browser.on("close", () => rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
}
