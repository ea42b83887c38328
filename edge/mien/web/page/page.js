// The page of `mien run --web`: takes the state from /api/events and draws it.
"use strict";

const byId = (id) => document.getElementById(id);
const make = (tag, text, name) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};

const MAX_MOMENTS = 40;       // listed
const RECONNECT_MS = 3000;
let colours = {};             // by label
let order = [];               // labels, in the model's order
let source = null;            // the EventSource
let camera = "";              // its state as shown
let since = null;             // when it began, ms of this browser's clock
let why = "";
let ratio = "";

function showPicture(shown) {
  const live = byId("live");
  // A hidden page costs the device nothing, and a picture of the past is not to be taken for now.
  if (!shown) live.removeAttribute("src");
  else if (!live.hasAttribute("src")) live.src = "live.mjpg?" + Date.now();
}

function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
}

const CURTAINS = {
  lost: (ago) => "No picture. Camera lost " + ago + " ago. " + why + " Reconnecting...",
  paused: (ago) => "No picture. Paused " + ago + " ago.",
  starting: () => "No picture yet. Waiting for the first frame.",
  offline: (ago) => "No picture. Connection lost " + ago + " ago. Reconnecting...",
};

function drawCurtain() {
  const words = CURTAINS[camera];
  byId("curtain").textContent = words ? words(duration(Date.now() - since)) : "";
  byId("curtain").classList.toggle("drawn", Boolean(words));
}

function showCamera(state, reason, seconds) {
  why = reason || "";
  // The server says for how long; without it the state begins now, unless it is shown already.
  if (seconds !== undefined) since = Date.now() - 1000 * seconds;
  else if (state !== camera) since = Date.now();
  if (state !== camera) {
    camera = state;
    const words = { running: "live", lost: "camera lost", paused: "paused", starting: "starting", offline: "offline" };
    byId("camera").dataset.state = state;
    byId("camera").textContent = words[state] || state;
    byId("alert").textContent = { lost: "Camera lost.", offline: "Connection lost." }[state] || "";
    const live = state === "running";
    for (const id of ["snapshot", "full"]) if (byId(id)) byId(id).hidden = !live;
    byId("pause").textContent = state === "paused" ? "Resume" : "Pause";
    if (!live) clearFigures();
  }
  if (state === "offline") byId("pause").hidden = byId("downloads").hidden = byId("calibrate").hidden = true;
  showPicture(state === "running" && !document.hidden);
  drawCurtain();
}

function clearFigures() {
  showAlert([]);
  for (const id of ["count", "fps", "latency", "work", "temperature"]) byId(id).textContent = "–";
  byId("faces").replaceChildren(make("article", "No picture", "face none"));
  document.title = byId("camera").textContent + " – Mien";
}

function learn(labels) {
  if (order.length) return;
  colours = Object.fromEntries(labels.map((label) => [label.name, label.colour]));
  order = labels.map((label) => label.name).filter((name) => name !== "uncertain");
  byId("legend").replaceChildren(...order.map((name) => {
    const item = make("li");
    const dot = make("i");
    dot.style.background = colours[name];
    item.append(dot, name);
    return item;
  }));
}

function newCard() {
  const card = make("article", undefined, "face");
  const title = make("h3");
  title.append(make("b", undefined, "badge"), make("span"), make("small"));
  card.append(title);
  for (const name of order) {
    const row = make("div", undefined, "bar");
    const track = make("i");
    const fill = make("b");
    fill.style.background = colours[name];
    track.append(fill);
    row.append(make("span", name), track, make("span"));
    card.append(row);
  }
  return card;
}

function fillCard(card, face) {
  const [badge, emotion, sure] = card.firstChild.children;
  card.style.borderLeftColor = badge.style.background = face.color;
  badge.textContent = face.id === null ? "" : face.id;
  badge.hidden = face.id === null;
  badge.setAttribute("aria-label", "Person " + face.id);
  emotion.textContent = face.emotion;
  sure.textContent = Math.round(100 * face.confidence) + " %";
  order.forEach((name, index) => {
    const row = card.children[index + 1];
    const p = face.probabilities[name] || 0;
    row.classList.toggle("first", name === face.emotion);
    row.children[1].firstChild.style.transform = "scaleX(" + p.toFixed(3) + ")";
    row.lastChild.textContent = Math.round(100 * p) + " %";
  });
}

function showFaces(faces) {
  const place = byId("faces");
  // By person, so that a card stays a person's while both are in view.
  const shown = [...faces].sort((a, b) => (a.id || 0) - (b.id || 0));
  if (!shown.length) {
    if (!place.querySelector(".none")) place.replaceChildren(make("article", "No face in view", "face none"));
    return;
  }
  const cards = place.querySelectorAll(".face:not(.none)");
  if (cards.length !== shown.length || place.querySelector(".none")) {
    place.replaceChildren(...shown.map((_, index) => cards[index] || newCard()));
  }
  shown.forEach((face, index) => fillCard(place.children[index], face));
}

// Events of alertness that go on, the gravest first; a long blink alone is in the list of changes.
const ALERTS = {
  unresponsive: "Unresponsive", sleep: "Eyes closed: asleep?", microsleep: "Microsleep", head_drop: "Head dropped",
  perclos: "Eyes closed too often", yawning: "Yawns often",
};

function showAlert(faces) {
  const active = new Set(faces.flatMap((face) => (face.alertness ? face.alertness.active : [])));
  const kind = Object.keys(ALERTS).find((name) => active.has(name));
  const banner = byId("alarm");
  banner.hidden = !kind;
  if (kind && banner.textContent !== ALERTS[kind]) banner.textContent = ALERTS[kind];
}

function showState(state) {
  learn(state.labels);
  showAlert(state.faces);
  byId("source").textContent = state.name;
  byId("pause").hidden = !state.can_pause;
  byId("downloads").hidden = !state.recorded;
  byId("calibrate").hidden = !state.can_calibrate || state.camera !== "running";
  showCamera(state.camera, state.why, state.since);
  const shape = state.size.join(" / ");
  if (state.size[0] && shape !== ratio) byId("picture").style.aspectRatio = ratio = shape;
  remember(state);
  if (state.camera !== "running") return;
  document.title = (state.faces[0] ? state.faces[0].emotion + " – " : "") + "Mien";
  showFaces(state.faces);
  byId("count").textContent = state.faces.length;
  byId("fps").textContent = state.fps.toFixed(state.fps < 10 ? 1 : 0);
  byId("latency").textContent = state.latency_ms === null ? "–" : Math.round(state.latency_ms) + " ms";
  byId("work").textContent = state.ms.total === undefined ? "–" : state.ms.total.toFixed(state.ms.total < 10 ? 1 : 0) + " ms";
  byId("temperature").textContent = state.temperature === null ? "–" : state.temperature.toFixed(0) + " °C";
}

function addMoment(moment) {
  const list = byId("moments");
  if (list.querySelector(".none")) list.replaceChildren();
  if (list.firstChild && Number(list.firstChild.dataset.number) >= moment.number) return;
  const item = make("li");
  item.dataset.number = moment.number;
  const time = make("time", new Date(moment.clock).toLocaleTimeString());
  time.dateTime = moment.clock;
  item.append(time, make("span", moment.what + (moment.why ? ": " + moment.why : "")));
  list.prepend(item);
  while (list.children.length > MAX_MOMENTS) list.lastChild.remove();
}

async function togglePause() {
  const button = byId("pause");
  button.disabled = true;
  try {
    const answer = await fetch("api/pause", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ paused: camera !== "paused" }),
    });
    if (answer.status === 401) location.reload();
    if (answer.ok) showState(await answer.json());
  } finally {
    button.disabled = false;
  }
}

function listen() {
  if (source) source.close();
  source = new EventSource("api/events");
  source.addEventListener("open", () => {
    loadTimeline().catch(() => {});
  });
  source.addEventListener("state", (event) => showState(JSON.parse(event.data)));
  source.addEventListener("moment", (event) => addMoment(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    showCamera("offline");
    // A browser tries again by itself after a cut, but not after a refusal.
    if (source.readyState !== EventSource.CLOSED) return;
    fetch("api/state").then((answer) => { if (answer.status === 401) location.reload(); }).catch(() => {});
    setTimeout(listen, RECONNECT_MS);
  });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    showPicture(false);
    if (source) source.close();
  } else listen();
});
window.addEventListener("load", () => {
  byId("pause").addEventListener("click", () => togglePause().catch(() => {}));
  byId("snapshot").addEventListener("click", (event) => {
    event.currentTarget.download = "mien-" + new Date().toISOString().slice(0, 19).replace(/:/g, "-") + ".jpg";
  });
  if (!document.fullscreenEnabled) byId("full").remove();
  else byId("full").addEventListener("click", () => byId("picture").requestFullscreen());
  for (const button of byId("spans").children) button.addEventListener("click", () => chooseSpan(button));
  listen();
  setInterval(() => { if (!document.hidden) { drawChart(); drawCurtain(); } }, CHART_MS);
  setInterval(() => {
    if (minutes > 5 && camera !== "offline" && !document.hidden) loadTimeline().catch(() => {});
  }, LONG_CHART_MS);
});
window.addEventListener("resize", drawChart);
