// Calibration on the page: asks for one expression after the other, and for a profile of them.
"use strict";

const ROUNDS = 2;             // takes of each expression: one teaches, the other measures
const READY_S = 3;            // between Start and the take
const POLL_MS = 300;
let steps = [];               // expressions still to be asked for
let asked = 0;                // of them so far
let total = 0;

async function calibration(content) {
  const answer = await fetch("api/calibration", content && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  });
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

const pauseFor = (ms) => new Promise((done) => setTimeout(done, ms));
const capital = (text) => text[0].toUpperCase() + text.slice(1);

function showStep() {
  const label = steps[0];
  byId("step").textContent = label
    ? `Step ${asked + 1} of ${total}: show “${label}” for three seconds. Nobody else should be nearer to the camera.`
    : "That was all. Make a profile of what was captured.";
  byId("count-down").textContent = "";
  for (const id of ["take", "skip"]) byId(id).hidden = !label;
  byId("cancel").textContent = label ? "Cancel" : "Close";
}

function showTakes(takes) {
  byId("takes").replaceChildren(...takes.map((take, index) => {
    const item = make("li");
    if (take.thumbnail) {
      const picture = make("img");
      picture.src = "api/calibration/" + (index + 1) + ".jpg?" + index + take.label;
      picture.alt = "Captured face";
      item.append(picture);
    }
    const words = make("span");
    const read = Object.entries(take.read).map(([label, count]) => label + " " + count).join(", ");
    words.append(make("b", capital(take.label)), take.predictions ? " read as " + read : " no face was seen");
    item.append(words);
    return item;
  }));
  byId("finish").hidden = !takes.some((take) => take.predictions);
}

async function openCalibration() {
  const open = byId("calibration").hidden;
  if (open) {
    byId("verdict").textContent = "";
    const state = await calibration({ discard: true });
    steps = Array.from({ length: ROUNDS }, () => state.labels).flat();
    total = steps.length;
    asked = 0;
    showTakes([]);
    showStep();
  } else await calibration({ discard: true });
  byId("calibration").hidden = !open;
  byId("calibrate").setAttribute("aria-expanded", open);
  if (!open) return;
  byId("take").focus();
  byId("calibration").scrollIntoView({ block: "nearest" });
}

function busy(is) {
  for (const id of ["take", "skip", "cancel"]) byId(id).disabled = is;
  byId("finish").lastElementChild.disabled = is;
}

async function capture() {
  const label = steps[0];
  busy(true);
  byId("verdict").textContent = "";
  try {
    for (let left = READY_S; left; left -= 1) {
      byId("count-down").textContent = capital(label) + " in " + left;
      await pauseFor(1000);
    }
    const began = Date.now();
    let state = await calibration({ take: label });
    while (state.capturing) {
      byId("count-down").textContent = "Hold it: " + Math.max(1, Math.ceil(state.seconds - (Date.now() - began) / 1000));
      await pauseFor(POLL_MS);
      state = await calibration();
    }
    showTakes(state.takes);
    steps.shift();
    asked += 1;
  } finally {
    busy(false);
    showStep();
  }
}

async function finish() {
  busy(true);
  byId("verdict").textContent = "Fitting...";
  try {
    const found = await calibration({ finish: new FormData(byId("finish")).get("name") });
    const counts = found.after + " of " + found.total + " of your own pictures, " + found.before + " before";
    byId("verdict").textContent = found.file
      ? "Reads " + counts + ". The profile is in use, and saved as " + found.file + "; --profile takes it at the next start."
      : "No profile was made: " + found.reason + " (reads " + counts + ").";
    steps = [];
    showTakes([]);
  } finally {
    busy(false);
    showStep();
    if (!steps.length) byId("step").textContent = "";
  }
}

const tell = (error) => { byId("verdict").textContent = error.message; };

window.addEventListener("load", () => {
  for (const id of ["calibrate", "cancel"]) byId(id).addEventListener("click", () => openCalibration().catch(tell));
  byId("take").addEventListener("click", () => capture().catch(tell));
  byId("skip").addEventListener("click", () => { steps.shift(); asked += 1; showStep(); });
  byId("finish").addEventListener("submit", (event) => { event.preventDefault(); finish().catch(tell); });
});
