// Draws the pictures that the kiosk sends and sends back keys. Decides nothing.

import { play } from "./sounds.js";

const KEYS = { Enter: "ok", Backspace: "clear", Delete: "clear", Escape: "cancel" };
const PATIENCE_MS = 400; // a wait that ends sooner is not shown at all
const RETRY_MS = 1000;

const root = document.documentElement;
const silenceMs = Number(root.dataset.silenceMs);
const drawn = new Map();
let silence = 0;
let patience = 0;

function draw(picture) {
  clearTimeout(patience);
  if (picture.sound) play(picture.sound);
  drawKeys(picture.keys);
  if (picture.patient && picture.screen !== root.dataset.screen) {
    patience = setTimeout(() => drawParts(picture), PATIENCE_MS);
  } else {
    drawParts(picture);
  }
}

function drawParts(picture) {
  const isNewScreen = root.dataset.screen !== picture.screen;
  if (isNewScreen && picture.screen === "attract") enlarge(false); // every visit begins the same way
  root.dataset.screen = picture.screen;
  root.lang = picture.language;
  for (const part of new DOMParser().parseFromString(picture.html, "text/html").querySelectorAll("[data-part]")) {
    drawPart(document.getElementById(part.dataset.part), part);
  }
  if (isNewScreen) stage.scrollTop = 0;
  showMore();
  for (const place of document.querySelectorAll("[data-seconds]")) place.textContent = picture.seconds ?? "";
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === picture.language));
  }
  const say = document.getElementById("say");
  if (say.textContent !== picture.say) say.textContent = picture.say;
  root.dataset.picture = picture.number;
}

// Only what changed is replaced, so that the focus and running animations stay where they are.
function drawPart(place, part) {
  if (drawn.get(place.id) === part.innerHTML) return;
  drawn.set(place.id, part.innerHTML);
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  place.replaceChildren(...part.children);
  if (focused) document.getElementById(focused)?.focus();
}

function drawKeys(keys) {
  for (const { key, label, enabled } of keys) {
    const button = document.getElementById(`key-${key}`);
    button.querySelector(".label").textContent = label;
    button.disabled = !enabled;
  }
}

// With large text a screen may be longer than its place: a line says that there is more, and the keyboard can scroll.
const stage = document.getElementById("stage");
function showMore() {
  const below = stage.scrollHeight - stage.clientHeight - stage.scrollTop;
  stage.toggleAttribute("data-more", below > 1);
  if (stage.scrollHeight > stage.clientHeight + 1) stage.tabIndex = 0;
  else stage.removeAttribute("tabindex");
}
stage.addEventListener("scroll", showMore);
addEventListener("resize", showMore);

function enlarge(on) {
  if (on) root.dataset.text = "large";
  else delete root.dataset.text;
  document.getElementById("large-text").setAttribute("aria-pressed", String(on));
  showMore();
}

// One after the other: two digits typed fast must arrive in order.
let sending = Promise.resolve();
function send(path, message) {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message) };
  sending = sending.then(() => fetch(path, request)).catch(() => {
    // The kiosk is away. Nothing to do here: the stream is silent too, and then the page says so.
  });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  // After a touch the focus must not stay: Enter would press the same button once more.
  if (event.detail > 0) button.blur();
  if (button.dataset.key) send("/keys", { key: button.dataset.key });
  else if (button.dataset.language) send("/language", { language: button.dataset.language });
  else enlarge(root.dataset.text !== "large");
});

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = /^[0-9]$/.test(event.key) ? event.key : KEYS[event.key];
  if (!key) return;
  if (event.key === "Enter" && document.activeElement?.matches("button:focus-visible")) return; // it presses that button
  event.preventDefault();
  send("/keys", { key });
});

function heard() {
  clearTimeout(silence);
  delete root.dataset.silent;
  silence = setTimeout(() => { root.dataset.silent = ""; }, silenceMs);
}

function listen() {
  const stream = new EventSource("/events");
  stream.addEventListener("beat", heard);
  stream.addEventListener("picture", (event) => { heard(); draw(JSON.parse(event.data)); });
  stream.addEventListener("error", () => {
    // The browser comes back by itself, except after an answer that is no stream (all places taken).
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
  });
}

heard();
listen();
