// The page's own code: the formats of vault/SEALED.md, and the four steps. `sodium` is libsodium's own JavaScript build.
"use strict";
(() => {
  const words = "@WORDS@".split(" ");
  const encoder = new TextEncoder();
  const mostBytes = 8192;

  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const checkOf = (text) => hex(sodium.crypto_hash_sha256(encoder.encode(text)).subarray(0, 8));
  const withCheck = (text) => `${text}check: ${checkOf(text)}\n`;

  class Refused extends Error {}
  const refuse = (why) => { throw new Refused(why); };

  // A mail program's line ends and blank lines around the text are no damage.
  function linesOf(text, title) {
    if (encoder.encode(text).length > mostBytes) refuse("It is too long to be a ticket.");
    const lines = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "").replace(/\r\n/g, "\n").split("\n");
    if (lines[0] !== title) refuse("This is no ticket, or not all of one, or there is more in the text than the ticket.");
    const check = lines.pop();
    if (withCheck(lines.join("\n") + "\n") !== `${lines.join("\n")}\n${check}\n`) {
      refuse("The ticket is damaged: something was changed on its way, or lines are missing. Have it sent again.");
    }
    return lines;
  }

  function parseTicket(text) {
    const lines = linesOf(text, "strongroom-ticket 1");
    const forms = [
      ["vault", /^[0-9a-f]{32}$/], ["ticket", /^[0-9a-f]{16}$/], ["public-key", /^[A-Za-z0-9+/]{43}=$/],
      ["customer", /^[A-Z0-9_$#@-]{1,10}$/], ["provider", /^[a-z0-9-]{1,20}$/], ["origin", /^https:\/\/[a-z0-9.:[\]_-]+:[0-9]{1,5}$/],
      ["rotates", /^(none|[A-Z0-9_$#@-]{1,10}\/[a-z0-9-]{1,20}\/[A-Za-z0-9._-]{1,20}\/[1-9][0-9]{0,5})$/],
      ["expires", /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/],
    ];
    if (lines.length !== forms.length + 1) refuse("The ticket has a line too many, or too few.");
    const ticket = { text: withCheck(lines.join("\n") + "\n") };
    forms.forEach(([label, form], i) => {
      const value = lines[i + 1].slice(label.length + 2);
      if (!lines[i + 1].startsWith(`${label}: `) || !form.test(value)) refuse(`Something else stands in the ticket's line ${i + 2}.`);
      ticket[label] = value;
    });
    if (!(Date.parse(ticket.expires) > Date.now())) refuse(`The ticket expired at ${ticket.expires}. Ask for a new one.`);
    return ticket;
  }

  function phraseOf(text, salt) {
    const hash = sodium.crypto_pwhash(16, encoder.encode(text), encoder.encode(salt), 2, 64 << 20, sodium.crypto_pwhash_ALG_ARGON2ID13);
    let number = BigInt("0x" + hex(hash));
    const phrase = [];
    for (let i = 0; i < 6; ++i) {
      phrase.push(words[Number(number % 7776n)]);
      number /= 7776n;
    }
    return phrase.join(" ");
  }
  const lettersOf = (text) => text.toLowerCase().replace(/[^a-z]/g, "");

  // What is usually wrong with a key that was pasted.
  function checkKey(key) {
    if (key.length < 20) refuse("The key is too short: 20 characters at least.");
    if (key.length > 2000) refuse("The key is too long: 2,000 characters at most.");
    if (!/^[\x21-\x7e]*$/.test(key)) refuse("The key has a blank, a line break or another character that no key has.");
    if (/^(["'`]).+\1.?$/.test(key)) refuse("The key has quotes around it: give it without them.");
    if (/^\w*(key|token|secret)\w*=[^=]/i.test(key)) refuse("The key has its name and = in front of it: give what stands behind the =.");
    if (/\.\.\.|\*\*\*/.test(key)) {
      refuse("This is how a key is shown, with ... or *** for what is hidden. Copy the whole key where it was made, or make a new one.");
    }
  }

  // Servers other than OpenAI's own may take keys of any form.
  function checkOwner({ provider, origin }, key) {
    if (provider === "anthropic" && /^sk-(proj|svcacct)-/.test(key)) refuse("This is a key of OpenAI's, and one of Anthropic's is asked for.");
    const openai = provider === "openai" && origin === "https://api.openai.com:443";
    if (openai && key.startsWith("sk-ant-")) refuse("This is a key of Anthropic's, and one of OpenAI's is asked for.");
  }

  function sealKey(ticket, key) {
    checkKey(key);
    checkOwner(ticket, key);
    const head = sodium.crypto_hash_sha256(encoder.encode(ticket.text));
    const plain = new Uint8Array(33 + key.length);
    plain[0] = 1;
    plain.set(head, 1);
    encoder.encodeInto(key, plain.subarray(33));
    const box = sodium.crypto_box_seal(plain, sodium.from_base64(ticket["public-key"], sodium.base64_variants.ORIGINAL));
    plain.fill(0);
    const lines = sodium.to_base64(box, sodium.base64_variants.ORIGINAL).match(/.{1,64}/g).map((line) => `box: ${line}\n`).join("");
    return withCheck(`strongroom-sealed-key 1\nvault: ${ticket.vault}\nticket: ${ticket.ticket}\n${lines}`);
  }

  const at = (id) => document.getElementById(id);
  function say(id, text, right) {
    at(id).textContent = text;
    at(id).className = right ? "right" : "wrong";
  }
  const show = (id, shown) => { at(id).hidden = !shown; };

  let ticket = null;

  function takeTicket() {
    ticket = null;
    for (const id of ["phrase-step", "key-step", "blob-step"]) show(id, false);
    at("phrase").value = at("key").value = "";
    say("compared", "", true);
    if (at("ticket").value.trim() === "") return say("told", "", true);
    attempt("told", () => {
      ticket = parseTicket(at("ticket").value);
      const place = ticket.rotates === "none" ? "" : `, in the place of ${ticket.rotates}`;
      say("told", `It is for the API key of ${ticket.customer} at ${ticket.provider}, which may be sent to ${ticket.origin} alone${place}. It holds until ${ticket.expires}.`, true);
      show("phrase-step", true);
    });
  }

  function attempt(id, act) {
    try {
      act();
    } catch (problem) {
      say(id, problem instanceof Refused ? problem.message : `That did not work: ${problem.message}`, false);
    }
  }

  function comparePhrase() {
    attempt("compared", () => {
      const same = lettersOf(at("phrase").value) === lettersOf(phraseOf(ticket.text, "sr-ticket-phrase"));
      show("key-step", same);
      if (!same) refuse("These are not the ticket's words. Have them read out once more; if it stays so, the ticket was swapped on its way: do not use it.");
      say("compared", "The words are right.", true);
      at("key").focus();
    });
  }

  function seal() {
    attempt("sealed", () => {
      const text = sealKey(ticket, at("key").value);
      at("key").value = "";
      at("blob").value = text;
      at("blob-phrase").textContent = phraseOf(text, "sr-sealed-phrase");
      at("download").href = "data:text/plain;charset=us-ascii," + encodeURIComponent(text);
      at("download").download = `${ticket.customer}.blob`;
      say("sealed", "Sealed.", true);
      show("blob-step", true);
    });
  }

  const onEnter = (act) => (event) => { if (event.key === "Enter") act(); };
  sodium.ready.then(() => {
    at("file").addEventListener("change", async () => {
      at("ticket").value = await at("file").files[0].text();
      takeTicket();
    });
    at("ticket").addEventListener("input", takeTicket);
    at("check").addEventListener("click", comparePhrase);
    at("phrase").addEventListener("keydown", onEnter(comparePhrase));
    at("seal").addEventListener("click", seal);
    at("key").addEventListener("keydown", onEnter(seal));
    document.body.dataset.ready = "yes";
    if (at("ticket").value !== "") takeTicket();
  }, (problem) => say("told", `This browser cannot do it: ${problem.message}`, false));
})();
