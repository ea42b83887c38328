// The chart of expressions over time.
"use strict";

const CHART_MS = 500;
const LONG_CHART_MS = 10000;  // of spans whose bins come from the server alone
let seconds = [];             // {at, faces, mean}; what api/timeline gives, and what came since
let minutes = 5;              // of the chart
let step = 1;                 // s of one of its bins
let offset = null;            // of the server's seconds against this browser's clock

function remember(state) {
  offset = state.uptime - performance.now() / 1000;
  if (state.camera !== "running" || !seconds) return;
  const at = Math.floor(state.uptime / step) * step;
  let last = seconds[seconds.length - 1];
  if (!last || last.at < at) {
    last = { at, faces: 0, mean: null, states: 0, readings: 0, sums: order.map(() => 0) };
    seconds.push(last);
  }
  if (!last.sums) return;   // the server's own second is better than ours
  last.states += 1;
  for (const face of state.faces) {
    last.readings += 1;
    order.forEach((name, index) => { last.sums[index] += face.probabilities[name] || 0; });
  }
  last.faces = last.readings / last.states;
  last.mean = last.readings ? last.sums.map((sum) => sum / last.readings) : null;
  while (seconds.length > 60 * minutes / step + 2) seconds.shift();
}

function drawChart() {
  const canvas = byId("chart");
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(document.body);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const bottom = height - 20, span = 60 * minutes;
  pen.fillStyle = style.getPropertyValue("--track");
  pen.fillRect(0, 0, width, bottom);
  if (offset !== null) {
    const now = performance.now() / 1000 + offset;
    const x = (at) => width * (1 - (now - at) / span);
    for (const second of seconds) {
      if (!second.mean || now - second.at > span) continue;
      let top = 0;
      // Whole pixels, or thin lines would stand between the seconds.
      const left = Math.max(0, Math.floor(x(second.at))), right = Math.min(width, Math.ceil(x(second.at + step)));
      second.mean.forEach((share, index) => {
        pen.fillStyle = colours[order[index]];
        pen.fillRect(left, top, right - left, share * bottom + 0.6);
        top += share * bottom;
      });
    }
  }
  pen.fillStyle = style.getPropertyValue("--soft");
  pen.font = "12px system-ui, sans-serif";
  const parts = minutes === 1440 ? [24, 18, 12, 6, 0] : minutes === 60 ? [60, 45, 30, 15, 0] : [5, 4, 3, 2, 1, 0];
  const unit = minutes === 1440 ? " h" : " min", whole = parts[0];
  for (const part of parts) {
    if (width < 400 && part && part !== whole) continue;
    pen.textAlign = part === 0 ? "right" : part === whole ? "left" : "center";
    pen.fillText(part ? "\u2212" + part + unit : "now", width * (1 - part / whole), height - 4);
  }
}

async function loadTimeline() {
  const answer = await fetch("api/timeline?minutes=" + minutes);
  if (answer.status === 401) location.reload();   // the page that asks for the token
  if (!answer.ok) return;
  const timeline = await answer.json();
  if (timeline.minutes !== minutes) return;       // another span was chosen meanwhile
  step = timeline.step;
  seconds = timeline.seconds;
  offset = timeline.now - performance.now() / 1000;
  byId("moments").replaceChildren(make("li", "None yet", "none"));
  timeline.moments.forEach(addMoment);
  drawChart();
}

function chooseSpan(chosen) {
  minutes = Number(chosen.dataset.minutes);
  seconds = [];
  for (const button of byId("spans").children) button.setAttribute("aria-pressed", button === chosen);
  loadTimeline().catch(() => {});
}
