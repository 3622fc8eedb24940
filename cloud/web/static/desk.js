// Makes the voucher desk keep its footing on a weak line. Everything works without this file, one form after the other.
//
// A form is sent by fetch instead of by leaving the page, and the answer takes the page's place. Where no answer comes in time,
// the very same form is sent again: the id of what it asks for stands in it since it was drawn, so asking again is asking the
// same, and the judge answers it the same. While there is no answer, the desk says so, and nothing else can be sent.
//
// Each picture of the desk is an entry of the browser's history, so Back, Forward and Reload show it again, hidden fields and
// all. An order that is being confirmed is noted there too: after a reload, the desk asks about it by itself. The holder's four
// characters are never noted anywhere: a form that has them is filled in anew.
"use strict";

(function () {
  const main = document.getElementById("main");
  const first = main.querySelector("[data-desk]");
  if (!first) return;
  const person = first.dataset.desk;
  const waitsMs = [8_000, 8_000, 12_000, 12_000, 20_000]; // for an answer; then the person asks
  const pauseMs = 1_500;
  const slowMs = 400;
  const selfAskedMax = 5;
  let busy = false;
  let camera = null;
  let selfAsked = 0;

  const find = (what) => main.querySelector(what);

  // ---- one request, until there is an answer

  async function ask(asked) {
    const give = new AbortController();
    const answer = await withIn(asked.waitMs, give, fetch(asked.action, {
      method: asked.fields ? "POST" : "GET",
      body: asked.fields && new URLSearchParams(asked.fields),
      redirect: "manual",
      signal: give.signal,
    }));
    // Signed out meanwhile: the door leads back here.
    if (answer.type === "opaqueredirect") return location.assign("/scan");
    // Said by whatever stands in front of the desk, which does not know what became of it.
    if (answer.status >= 500) throw new Error("no answer from the desk");
    return withIn(asked.waitMs, give, answer.text());
  }

  function withIn(waitMs, give, promise) {
    const bell = setTimeout(() => give.abort(), waitMs);
    return promise.finally(() => clearTimeout(bell));
  }

  async function send(asked) {
    if (busy) return;
    busy = true;
    camera?.close();
    const slow = setTimeout(() => say("asking", asked), slowMs);
    if (asked.isFinal) history.replaceState({ ...history.state, pending: asked }, "");
    try {
      for (const waitMs of waitsMs) {
        const text = await ask({ ...asked, waitMs }).catch(() => null);
        if (text !== null) {
          if (text !== undefined) arrive(text, asked);
          return;
        }
        say("waiting", asked);
        await pause();
      }
      say("unanswered", asked);
    } finally {
      clearTimeout(slow);
      busy = false;
    }
  }

  // Until there is a line again, at least for a moment.
  function pause() {
    return new Promise((go) => {
      if (navigator.onLine) return void setTimeout(go, pauseMs);
      addEventListener("online", () => setTimeout(go, 300), { once: true });
    });
  }

  function arrive(text, asked) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const state = { ...history.state, pending: null };
    history.replaceState(state, "");
    if (!asked.selfAsked) selfAsked = 0;
    const next = { desk: person, html: page.getElementById("main").innerHTML, title: page.title };
    history.pushState(next, "", "/scan");
    show(next);
  }

  // ---- what stands on the page

  function show({ html, title }) {
    camera?.close();
    camera = null;
    main.innerHTML = html;
    document.title = title;
    const focus = find("[data-focus]") || find("[autofocus]");
    // A keyboard that jumps up hides the camera's button, which is what a phone is there for.
    const target = focus && !(focus.id === "code" && isPhone()) ? focus : main;
    target.focus({ preventScroll: target === main });
    scrollTo(0, 0);
    prepare();
  }

  function prepare() {
    lineChanged();
    const again = find("form[data-ask-again-s]");
    if (!again || selfAsked >= selfAskedMax) return;
    setTimeout(() => {
      if (!again.isConnected || busy) return;
      selfAsked += 1;
      send({ ...asFields(again), selfAsked: true });
    }, Number(again.dataset.askAgainS) * 1000);
  }

  // asking: it takes its time. waiting: no answer yet, asked again by itself. unanswered: the person asks.
  function say(what, asked) {
    const line = find("[data-line]");
    if (!line) return;
    line.hidden = false;
    for (const part of line.children) part.hidden = part.dataset.says !== what || part.dataset.final !== String(asked.isFinal);
    for (const part of find("[data-desk]").children) part.inert = !part.matches(".head, [data-line], [data-offline]");
    const button = line.querySelector("button");
    if (what === "unanswered" && !asked.isFinal) leave();
    else if (what === "unanswered") {
      button.onclick = () => send(asked);
      button.focus();
    }
  }

  // Nothing final was asked: what was typed can be sent again, or corrected.
  function leave() {
    for (const part of find("[data-desk]").children) part.inert = false;
  }

  function lineChanged() {
    const notice = find("[data-offline]");
    if (notice) notice.hidden = navigator.onLine;
  }

  function isPhone() {
    return matchMedia("(pointer: coarse)").matches && Boolean(navigator.mediaDevices);
  }

  // ---- what the person does

  function asFields(form, submitter) {
    const fields = [...new FormData(form)];
    if (submitter?.name) fields.push([submitter.name, submitter.value]);
    return { action: form.getAttribute("action"), fields, isFinal: form.hasAttribute("data-final") };
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!main.contains(form) || !form.getAttribute("action").startsWith("/scan/")) return;
    event.preventDefault();
    event.stopPropagation();
    send(asFields(form, event.submitter));
  }, true);

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-next]");
    if (link && main.contains(link) && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      send({ action: link.getAttribute("href"), fields: null, isFinal: false });
      return;
    }
    if (event.target.closest("[data-close-camera]")) closeCamera();
    if (event.target.closest("[data-open-camera]")) await openCamera();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeCamera();
  });

  async function openCamera() {
    const panel = find("[data-camera]");
    camera?.close();
    const taken = new Set(panel.dataset.taken.split(" "));
    const found = (text) => {
      const field = find("#code");
      field.value = text;
      field.form.requestSubmit();
    };
    try {
      const { openCamera: open } = await import(panel.dataset.script);
      if (!panel.isConnected) return;
      camera = open(panel, taken, found);
      panel.scrollIntoView({ block: "nearest" });
      panel.querySelector("[data-close-camera]").focus({ preventScroll: true });
      await camera.ready;
    } catch {
      // The script itself could not be fetched.
      panel.hidden = false;
      panel.classList.add("failed");
      panel.querySelector("[data-camera-says]").textContent = panel.dataset.sayFailed;
    }
  }

  function closeCamera() {
    const panel = find("[data-camera]");
    if (!panel || panel.hidden) return;
    camera?.close();
    camera = null;
    panel.hidden = true;
    find("[data-open-camera]").focus();
  }

  addEventListener("online", lineChanged);
  addEventListener("offline", lineChanged);
  addEventListener("popstate", (event) => {
    if (event.state?.desk === person && !busy) show(event.state);
  });

  // ---- arriving, and coming back

  // Whoever comes by a link begins anew; whoever reloads or comes back is where they were.
  const cameBack = performance.getEntriesByType("navigation")[0]?.type !== "navigate";
  const before = history.state;
  if (cameBack && before?.desk === person && before.html) {
    const secret = find("input[name=csrf_token]")?.value;
    show(before);
    // Signed in anew since: the forms' secret is another one.
    if (secret) for (const field of main.querySelectorAll("input[name=csrf_token]")) field.value = secret;
    if (before.pending) {
      for (const field of before.pending.fields) if (secret && field[0] === "csrf_token") field[1] = secret;
      send(before.pending);
    }
  } else {
    // A form that was sent before this script was there left an address that cannot be opened again.
    const address = location.pathname.startsWith("/scan/") ? "/scan" : location.href;
    history.replaceState({ desk: person, html: main.innerHTML, title: document.title }, "", address);
    prepare();
  }
})();
