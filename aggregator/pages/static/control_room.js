// What must go on in the browser even while the server is silent: clock, veil, sound. The server says what is so once a
// second and at each change (controlRoom.state); this file only shows it, and shows it when that stops coming.
"use strict";
window.controlRoom = (() => {
  const BEIJING_MS = 8 * 3600 * 1000;
  const SILENT_AFTER_MS = 3500;  // the server speaks every second
  const ARMED = "parksentry.sound.armed", SILENCED = "parksentry.sound.silenced";
  // Per tone: frequencies (Hz) of its beeps and the pause after them (s). Toxic differs from combustible, level 2 from 1.
  const TONES = {
    toxic_1: { beeps: [988, 740, 988, 740, 988, 740], beep_s: 0.13, every_s: 1.2 },
    gas_1: { beeps: [880, 880, 880], beep_s: 0.2, every_s: 1.5 },
    other_1: { beeps: [660, 660, 660], beep_s: 0.2, every_s: 2 },
    toxic_2: { beeps: [784, 587], beep_s: 0.25, every_s: 2.5 },
    gas_2: { beeps: [698, 698], beep_s: 0.3, every_s: 3 },
    other_2: { beeps: [523], beep_s: 0.35, every_s: 4 },
    other_3: { beeps: [440], beep_s: 0.25, every_s: 10 },
  };
  const MESSAGES_MAX = 8;
  const RANK = Object.keys(TONES);  // the most urgent first: one tone at a time, so that each can be told
  let offset_ms = 0, heard_ms = performance.now(), last = null, texts = {}, context = null, next_ms = 0, leaving = false;
  let sounding = new Map(), silenced = new Set(JSON.parse(localStorage.getItem(SILENCED) || "[]"));

  const by = (id) => document.getElementById(id);
  const put = (id, text) => { const e = by(id); if (e && e.textContent !== text) e.textContent = text; };
  const two = (n) => String(n).padStart(2, "0");
  const fill = (text, params) => text.replace(/\{(\w+)\}/g, (_, name) => params[name]);

  function beijing(ms) {
    const t = new Date(ms + BEIJING_MS);
    return `${t.getUTCFullYear()}-${two(t.getUTCMonth() + 1)}-${two(t.getUTCDate())} ` +
      `${two(t.getUTCHours())}:${two(t.getUTCMinutes())}:${two(t.getUTCSeconds())}`;
  }

  // --- link -----------------------------------------------------------------------------------------------------------
  function showLink() {
    const silence_ms = performance.now() - heard_ms, lost = silence_ms > SILENT_AFTER_MS;
    const silent = !lost && last !== null && !last.ingest_alive;
    const age_s = Math.round(lost ? silence_ms / 1000 : (last?.ingest_age_s ?? 0) + silence_ms / 1000);
    document.body.classList.toggle("cr-lost", lost);
    document.body.classList.toggle("cr-silent", silent);
    const away = lost || silent ? "" : last?.gateways_away || "";
    const key = lost ? "link_lost" : silent ? (last.ingest_age_s === null ? "ingest_never" : "ingest_silent") : "link_good";
    const text = away || fill(texts[key] || "", { age: age_s });
    put("cr-link", text);
    put("cr-veil-text", text);
    by("cr-link")?.classList.toggle("wrong", lost || silent || away !== "");
  }

  // --- sound ----------------------------------------------------------------------------------------------------------
  const armed = () => context !== null && context.state === "running";
  const audible = () => [...sounding].filter(([id]) => !silenced.has(id)).map(([, tone]) => tone);

  async function arm() {
    context ??= new AudioContext();
    await context.resume();
    localStorage.setItem(ARMED, "1");
    beep({ beeps: [660], beep_s: 0.08, every_s: 0 }, 0.08);  // heard at once that it works
    showSound();
  }

  function beep(tone, volume = 0.25) {
    tone.beeps.forEach((frequency, i) => {
      const start = context.currentTime + 0.02 + i * tone.beep_s * 1.25, end = start + tone.beep_s;
      const oscillator = context.createOscillator(), gain = context.createGain();
      oscillator.type = "triangle";
      oscillator.frequency.value = frequency;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(volume, start + 0.01);
      gain.gain.setValueAtTime(volume, end - 0.02);
      gain.gain.linearRampToValueAtTime(0, end);
      oscillator.connect(gain).connect(context.destination);
      oscillator.start(start);
      oscillator.stop(end);
    });
  }

  function play() {
    const now_ms = performance.now(), wanted = audible();
    if (!armed() || wanted.length === 0 || now_ms < next_ms) return;
    const tone = TONES[RANK.find((name) => wanted.includes(name))];
    beep(tone);
    next_ms = now_ms + tone.every_s * 1000;
  }

  // Silence is for what sounds now: what comes later, or again, sounds.
  function silence() {
    silenced = new Set(sounding.keys());
    localStorage.setItem(SILENCED, JSON.stringify([...silenced]));
    showSound();
  }

  // What ceased to sound and begins again is heard again.
  function changeSounds({ begun, ceased }) {
    Object.entries(begun).forEach(([id, tone]) => sounding.set(id, tone));
    ceased.forEach((id) => sounding.delete(id));
    const kept = [...silenced].filter((id) => sounding.has(id));
    if (kept.length === silenced.size) return;
    silenced = new Set(kept);
    localStorage.setItem(SILENCED, JSON.stringify(kept));
  }

  function showSound() {
    const state = !armed() ? "sound_off" : audible().length ? "sound_on" : sounding.size ? "sound_silenced" : "sound_ready";
    put("cr-sound-text", texts[state] || "");
    by("cr-sound")?.classList.toggle("wrong", state === "sound_off");
    const arm_ = by("cr-arm"), silence_ = by("cr-silence");
    if (arm_) arm_.hidden = armed();
    if (silence_) silence_.hidden = !(armed() && audible().length);
  }

  // --- messages: below the alarm bar, until they were read ------------------------------------------------------------
  function tell(message) {
    const box = by("cr-messages");
    [...box.children].filter((each) => each.dataset.message === message).forEach((each) => each.remove());
    while (box.children.length >= MESSAGES_MAX) box.lastChild.remove();
    const shown = document.createElement("div"), words = document.createElement("span"), read = document.createElement("button");
    shown.className = "cr-message";
    shown.dataset.message = words.textContent = message;
    read.textContent = texts.read;
    read.addEventListener("click", () => shown.remove());
    shown.append(words, read);
    box.prepend(shown);
  }

  // Escape closes the newest; what else listens to it, such as a dialog, goes first.
  function escape(event) {
    if (event.key === "Escape" && !event.repeat && !document.querySelector(".q-dialog")) by("cr-messages").firstChild?.remove();
  }

  // --- what the server says -------------------------------------------------------------------------------------------
  function state(said) {
    last = said;
    heard_ms = performance.now();
    offset_ms = said.wall_ms - Date.now();
    changeSounds(said.sounding);
    play();
    showLink();
    showSound();
  }

  function tick() {
    put("cr-time", beijing(Date.now() + offset_ms));
    showLink();
    play();
  }

  // The server sends a page away whose session is over. Of two that want to leave at once the first is obeyed.
  function leave(address) {
    if (!leaving) location.href = address;
    leaving = true;
  }

  async function signOut() {
    leaving = true;  // else the server, which sees the session end, might give another reason
    const asked = fetch("/api/v1/session", { method: "DELETE", headers: { "Content-Type": "application/json" } });
    const status = await asked.then((answer) => answer.status, () => 0).finally(() => { leaving = false; });
    if (status === 204) leave("/login?reason=signed_out");
    else if (status === 401) leave("/login?reason=not_signed_in");  // it was over before
    else if (status) leave("/login?reason=unconfirmed");  // the answer took the cookie along
    else tell(texts.not_signed_out);
  }

  function language(code) {
    document.cookie = `parksentry_language=${code}; path=/; max-age=31536000; SameSite=Strict`;
    location.reload();
  }

  function typing(event) {
    return event.ctrlKey || event.altKey || event.metaKey || event.target.closest?.("input, textarea, select, [contenteditable]");
  }

  function start() {
    texts = JSON.parse(by("cr-texts").textContent);
    by("cr-arm").addEventListener("click", arm);
    by("cr-silence").addEventListener("click", silence);
    by("cr-sign-out").addEventListener("click", signOut);
    by("cr-language").addEventListener("click", (event) => language(event.target.dataset.language));
    document.addEventListener("keydown", (event) => { if (event.key === "s" && !event.repeat && !typing(event)) silence(); });
    document.addEventListener("keydown", escape, true);
    // A browser lets a page sound only after a touch of it: once armed, any touch of a later page arms it again.
    if (localStorage.getItem(ARMED)) {
      context = new AudioContext();
      const again = () => { if (!armed()) context.resume().then(showSound); };
      ["pointerdown", "keydown"].forEach((kind) => document.addEventListener(kind, again, true));
      again();
    }
    setInterval(tick, 250);
    tick();
    showSound();
  }

  const when = setInterval(() => { if (by("cr-texts") && by("cr-sign-out") && by("cr-veil-text")) { clearInterval(when); start(); } }, 20);

  // --- lists ----------------------------------------------------------------------------------------------------------
  // A grid leaves itself to whichever of list and scroll bar moved first, and drops what the other says for 150 ms after: when
  // all is quiet it is told once more where the list stands, or it would draw nothing there until somebody scrolls again.
  function followScroll(grid) {
    const SETTLED_MS = 250;
    const list = grid.querySelector(".ag-body-viewport");
    let when = 0;
    list.addEventListener("scroll", (event) => {
      if (!event.isTrusted) return;
      clearTimeout(when);
      when = setTimeout(() => list.dispatchEvent(new Event("scroll")), SETTLED_MS);
    }, { passive: true });
  }

  // Test and support: what is sounding, and is it heard?
  const sound = () => ({ armed: armed(), audible: audible(), silenced: silenced.size });
  return { state, silence, sound, typing, leave, tell, beijing, followScroll };
})();
