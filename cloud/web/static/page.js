// Keeps a page that somebody looks at up to date. Everything works without this file.
//
// A part marked data-fresh-s is fetched again that often while the page is visible, and replaced when it changed, unless the
// person is in the middle of it. The request says that nobody clicked, so it does not keep a session alive.
"use strict";

(function () {
  const part = document.querySelector("[data-fresh-s]");
  if (!part) return;
  const everyMs = Number(part.dataset.freshS) * 1000;

  async function refresh() {
    if (document.hidden || part.contains(document.activeElement)) return;
    const answer = await fetch(location.href, { headers: { "X-Passive": "1" }, redirect: "manual" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
    if (fresh && fresh.textContent !== part.textContent && !part.contains(document.activeElement)) {
      part.replaceChildren(...fresh.childNodes);
    }
  }

  // A network that is away is no fault of the page: it shows what it had, and asks again.
  setInterval(() => refresh().catch(() => undefined), everyMs);
})();
