// The bench's hands: they hold pictures in front of the camera and tap keys. What happens then is the kiosk's business.

const KEYS = { Enter: "ok", Escape: "cancel" };
const said = document.getElementById("said");
const shown = document.getElementById("held");
const takeAway = document.getElementById("take-away");
const empty = document.getElementById("camera-empty");

// One after the other: keys must arrive in order.
let sending = Promise.resolve();
function send(path, message) {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message) };
  sending = sending
    .then(() => fetch(path, request))
    .then(async (answer) => { said.textContent = answer.ok ? "" : await answer.text(); })
    .catch(() => { said.textContent = "The kiosk does not answer. Is it still running?"; });
}

function hold(name) {
  send("/bench/picture", { name });
  for (const button of document.querySelectorAll("[data-picture]")) {
    button.setAttribute("aria-pressed", String(button.dataset.picture === name));
  }
  const isHeld = name !== null;
  if (isHeld) shown.src = `/bench/pictures/${encodeURIComponent(name)}`;
  shown.hidden = takeAway.hidden = !isHeld;
  empty.hidden = isHeld;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.key) send("/bench/keys", { key: button.dataset.key });
  else if (button.dataset.picture) hold(button.getAttribute("aria-pressed") === "true" ? null : button.dataset.picture);
  else hold(null);
});

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Enter" && document.activeElement?.matches("button:focus-visible")) return;
  const key = /^[0-9]$/.test(event.key) ? event.key : KEYS[event.key];
  if (key) send("/bench/keys", { key });
});

hold(null); // what an earlier page left in front of the camera
