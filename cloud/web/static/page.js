// Keeps a page that somebody looks at up to date, and says when something takes its time. Everything works without this file.
//
// A part marked data-fresh-s is fetched again that often while the page is visible, and replaced when it changed, unless the
// person is in the middle of it. The request says that nobody clicked, so it does not keep a session alive. When two in a row
// stay without an answer, the page says that it shows what it had.
"use strict";

(function () {
  const working = document.querySelector("[data-working]");
  const slowMs = 400;
  let slow = 0;

  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    // A question that is counted is asked once, however often one taps.
    if (event.target.matches("form[data-once]")) {
      if (event.target.dataset.once) return event.preventDefault();
      event.target.dataset.once = "sent";
    }
    clearTimeout(slow);
    slow = setTimeout(() => {
      working.hidden = false;
      event.target.setAttribute("aria-busy", "true");
    }, slowMs);
  });

  // A page that comes back from the browser's memory is not under way any more.
  addEventListener("pageshow", () => {
    clearTimeout(slow);
    working.hidden = true;
    for (const form of document.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy");
    for (const form of document.querySelectorAll("form[data-once]")) form.dataset.once = "";
  });

  // On a phone the menu is wider than the screen: the word that stands for this page is moved into sight.
  const here = document.querySelector(".menu [aria-current]");
  if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.clientWidth / 2;

  const settings = document.querySelector(".settings");
  document.addEventListener("click", (event) => {
    if (!settings.contains(event.target)) settings.open = false;
  });
  settings.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !settings.open) return;
    settings.open = false;
    settings.querySelector("summary").focus();
  });

  const part = document.querySelector("[data-fresh-s]");
  if (!part) return;
  const stale = document.querySelector("[data-stale]");
  const everyMs = Number(part.dataset.freshS) * 1000;
  let missed = 0;

  async function refresh() {
    if (document.hidden || part.contains(document.activeElement) || part.querySelector("details[open], input:checked")) return;
    const answer = await fetch(location.href, { headers: { "X-Passive": "1" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") return; // signed out meanwhile: the next click says so
    if (!answer.ok) throw new Error("not to be had");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
    if (fresh && fresh.textContent !== part.textContent && !part.contains(document.activeElement)) {
      part.replaceChildren(...fresh.childNodes);
    }
    missed = 0;
    stale.hidden = true;
  }

  // A network that is away is no fault of the page: it says so, shows what it had, and asks again.
  setInterval(() => {
    refresh().catch(() => {
      missed += 1;
      stale.hidden = missed < 2;
    });
  }, everyMs);
})();
