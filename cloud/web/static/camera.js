// The voucher desk's camera: shows what it sees, reads QR codes and CODE128, and hands over the first voucher's code.
//
// A module of its own, loaded when the camera is opened for the first time. The browser's own BarcodeDetector reads where there
// is one; else the vendored decoder is fetched, once, from our own files. Nothing that the camera sees leaves the phone.
//
// Everything that can be in the way (no camera, no permission, another app has it, the decoder cannot be fetched) is said in
// words, and the number can be typed at any time: this file only ever adds a faster way.

const NUMBER = /^\s*(\d{12})\s*$/;
const ADDRESS = /\/v\/(\d{12})(?:[?#]|$)/;
const PAUSE_MS = 60; // between two looks: a phone's processor stays cool, and nobody sees the difference
const SEEN_MS = 260; // how long the mark stands around a code that was read
const SLOW_MS = 12_000;
const REST_MS = 120_000; // an open camera empties the battery
const DENIED = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", OverconstrainedError: "none" };

let decoder; // promise of a detector: made once per page

/** The twelve digits that a code holds, or an empty text: it is something else. */
export function numberIn(text) {
  return (NUMBER.exec(text) || ADDRESS.exec(text) || ["", ""])[1];
}

/**
 * Open the camera in `panel`.
 * @param {HTMLElement} panel  the desk's camera section, which holds all words as data-say-…
 * @param {Set<string>} taken  numbers that are in the order already
 * @param {(text: string) => void} found  gets the first other voucher's code, with the camera closed again
 * @returns {{close: () => void, ready: Promise<void>}}
 */
export function openCamera(panel, taken, found) {
  const session = new Session(panel, taken, found);
  return { close: () => session.close(), ready: session.open() };
}

class Session {
  constructor(panel, taken, found) {
    this.panel = panel;
    this.taken = taken;
    this.found = found;
    this.video = panel.querySelector("video");
    this.marks = panel.querySelector("[data-corners]");
    this.torch = panel.querySelector("[data-torch]");
    this.open_ = true;
    this.onVisibility = () => (document.hidden ? this.close() : this.stayAwake());
  }

  say(name, look = "waiting") {
    const line = this.panel.querySelector("[data-camera-says]");
    const text = this.panel.getAttribute(`data-say-${name}`);
    if (line.textContent !== text) line.textContent = text;
    line.dataset.look = look;
  }

  async open() {
    this.panel.hidden = false;
    this.panel.classList.remove("failed");
    this.marks.setAttribute("points", "");
    this.torch.hidden = true;
    this.say("loading");
    document.addEventListener("visibilitychange", this.onVisibility);
    this.sound = makeSound();
    if (!navigator.mediaDevices?.getUserMedia) return this.fail("insecure");
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } },
      });
    } catch (problem) {
      return this.fail(DENIED[problem.name] || "busy");
    }
    this.stream = stream;
    if (!this.open_) return this.letGo(); // closed while the browser was asking
    this.video.srcObject = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => this.open_ && this.fail("busy"));
    this.prepareTorch(stream.getVideoTracks()[0]);
    this.stayAwake();
    try {
      await this.video.play();
      decoder = decoder || makeDetector(this.panel.dataset.library, this.panel.dataset.decoder);
      this.detector = await decoder;
    } catch {
      decoder = undefined; // the next press fetches it again
      return this.open_ ? this.fail("failed") : undefined;
    }
    if (this.open_) this.look();
  }

  /** Look at one picture after the other until a voucher is seen. */
  async look() {
    const started = performance.now();
    let odd = 0;
    this.say("hint");
    while (this.open_) {
      const seen = await this.read();
      if (!this.open_) return;
      const voucher = seen.find((code) => numberIn(code.rawValue) && !this.taken.has(numberIn(code.rawValue)));
      this.draw(voucher || seen[0], Boolean(voucher));
      if (voucher) return this.finish(voucher.rawValue);
      const waited = performance.now() - started;
      odd = seen.length ? performance.now() : odd;
      if (seen.length) this.say(numberIn(seen[0].rawValue) ? "twice" : "other", "attention");
      else if (performance.now() - odd > 1500) this.say(waited > SLOW_MS ? "slow" : "hint");
      if (waited > REST_MS) return this.fail("rest");
      await new Promise((go) => setTimeout(go, PAUSE_MS));
    }
  }

  async read() {
    if (this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return [];
    try {
      return await this.detector.detect(this.video);
    } catch {
      // A browser may have the detector and, on this phone, no service behind it: ours reads on.
      if (!this.detector.ours) {
        decoder = loadDetector(this.panel.dataset.library, this.panel.dataset.decoder);
        this.detector = await decoder.catch(() => {
          decoder = undefined;
          this.fail("failed");
          return this.detector;
        });
      }
      return [];
    }
  }

  finish(text) {
    this.say("found", "done");
    this.sound();
    navigator.vibrate?.(60);
    setTimeout(() => {
      if (!this.open_) return;
      this.close();
      this.found(text);
    }, SEEN_MS);
  }

  draw(code, isVoucher) {
    const picture = this.marks.ownerSVGElement;
    picture.setAttribute("viewBox", `0 0 ${this.video.videoWidth || 1} ${this.video.videoHeight || 1}`);
    this.marks.setAttribute("points", code ? code.cornerPoints.map(({ x, y }) => `${x},${y}`).join(" ") : "");
    this.marks.classList.toggle("is-voucher", isVoucher);
  }

  prepareTorch(track) {
    if (!track.getCapabilities?.().torch) return;
    let lit = false;
    this.torch.hidden = false;
    this.torch.setAttribute("aria-pressed", "false");
    this.torch.onclick = async () => {
      try {
        await track.applyConstraints({ advanced: [{ torch: !lit }] });
        lit = !lit;
        this.torch.setAttribute("aria-pressed", String(lit));
      } catch {
        this.torch.hidden = true; // it said that it could, and cannot
      }
    };
  }

  stayAwake() {
    // Refused on a low battery; then the screen dims as ever.
    navigator.wakeLock?.request("screen").then(
      (lock) => (this.open_ ? (this.lock = lock) : lock.release()),
      () => undefined,
    );
  }

  fail(name) {
    this.letGo();
    this.panel.classList.add("failed");
    this.say(name, "attention");
  }

  close() {
    this.letGo();
    this.panel.hidden = true;
  }

  letGo() {
    this.open_ = false;
    document.removeEventListener("visibilitychange", this.onVisibility);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
    this.lock?.release();
    this.lock = undefined;
  }
}

async function makeDetector(library, wasm) {
  if ("BarcodeDetector" in window) {
    const formats = await window.BarcodeDetector.getSupportedFormats();
    if (formats.includes("qr_code")) {
      return new window.BarcodeDetector({ formats: ["qr_code", "code_128"].filter((name) => formats.includes(name)) });
    }
  }
  return loadDetector(library, wasm);
}

async function loadDetector(library, wasm) {
  if (!window.BarcodeDetectionAPI) await loadScript(library);
  const { BarcodeDetector, prepareZXingModule } = window.BarcodeDetectionAPI;
  const answer = await fetch(wasm);
  if (!answer.ok) throw new Error("the decoder could not be fetched");
  // Given the decoder, it fetches none; without this it would ask a foreign host for one.
  const overrides = { wasmBinary: await answer.arrayBuffer(), locateFile: () => wasm };
  await prepareZXingModule({ overrides, fireImmediately: true });
  // Not every kind of QR code: a voucher's that is half covered can pass for a Micro QR of three digits.
  const detector = new BarcodeDetector({ formats: ["qr_code_model_2", "code_128"] });
  return { ours: true, detect: (picture) => detector.detect(picture) };
}

function loadScript(address) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = done;
    script.onerror = () => {
      script.remove();
      failed(new Error("the decoder could not be fetched"));
    };
    document.head.append(script);
  });
}

/** Two rising notes, as the kiosk's; prepared now, because a browser lets a page sound only after a touch. */
function makeSound() {
  const Context = window.AudioContext;
  if (!Context) return () => undefined;
  const context = new Context();
  return () => {
    [659.26, 880].forEach((pitch, place) => {
      const start = context.currentTime + place * 0.1;
      const note = context.createOscillator();
      const volume = context.createGain();
      note.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.09);
      note.connect(volume).connect(context.destination);
      note.start(start);
      note.stop(start + 0.09);
    });
    setTimeout(() => context.close(), 500);
  };
}
