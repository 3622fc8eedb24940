// Four sounds, made here, so that nothing has to be loaded.

const NOTES = {
  accept: [[659.26, 0, 0.09], [880, 0.09, 0.09]], // E5, A5: rising
  refuse: [[220, 0, 0.22]], // A3: low
  again: [[587.33, 0, 0.07], [587.33, 0.12, 0.07]], // D5 twice: once more, please
  click: [[1800, 0, 0.004]],
};
const LOUDNESS = 0.2;
const EDGE_S = 0.002; // without it the loudspeaker cracks

let audio;

export function play(name) {
  audio ??= new AudioContext();
  if (audio.state === "suspended") audio.resume();
  for (const [frequency, after, length] of NOTES[name]) note(frequency, audio.currentTime + 0.01 + after, length);
}

function note(frequency, start, length) {
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(LOUDNESS, start + EDGE_S);
  volume.gain.setValueAtTime(LOUDNESS, start + length - EDGE_S);
  volume.gain.linearRampToValueAtTime(0, start + length);
  tone.connect(volume).connect(audio.destination);
  tone.start(start);
  tone.stop(start + length);
}
