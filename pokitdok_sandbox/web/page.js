"use strict";
// Shows what the sandbox counts and holds. Asks this server alone; every text from it is set as text, never as HTML.

const EVERY = 1500;
const byId = (id) => document.getElementById(id);
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString();

function row(cells) {
  const line = document.createElement("tr");
  for (const cell of cells) {
    const place = line.insertCell();
    if (cell instanceof Node) place.append(cell);
    else place.textContent = cell;
  }
  return line;
}

function bar(value, max, title) {
  const progress = document.createElement("progress");
  Object.assign(progress, { value, max, title });
  return progress;
}

function code(text) {
  const element = document.createElement("code");
  element.textContent = text;
  return element;
}

function span(seconds) {
  return seconds < 120 ? `${Math.max(0, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
}

function show(state, live) {
  byId("requests").textContent = sum(state.requests) - state.token_requests;
  byId("token-requests").textContent = state.token_requests;
  byId("tokens-refused").textContent = sum(state.tokens_refused);
  byId("faults").textContent = sum(state.faults);
  byId("warnings").textContent = state.warnings;
  byId("credits").textContent = state.credits_billed;
  byId("shown").textContent = live.activities.length;
  byId("total").textContent = live.activities_total;
  byId("tokens-total").textContent = live.tokens_total;
  byId("activities").replaceChildren(...live.activities.map((one) => row([
    clock(one.created), one.name, code(one.id), one.trading_partner_id, one.state,
    bar(one.step, one.steps, `step ${one.step} of ${one.steps}`),
  ])));
  byId("tokens").replaceChildren(...live.tokens.map((one) => row([
    clock(one.issued), one.client_id, one.kind, one.scopes.join(" ") || "none", span(one.expires - live.now),
  ])));
}

async function refresh() {
  const pulse = byId("pulse");
  try {
    const answers = await Promise.all([fetch("/_sandbox/state"), fetch("/_sandbox/live")]);
    show(...await Promise.all(answers.map((answer) => answer.json())));
    pulse.textContent = "running";
    pulse.className = "";
  } catch {
    pulse.textContent = "not reachable";
    pulse.className = "lost";
  }
  setTimeout(refresh, EVERY);
}

for (const block of document.querySelectorAll("pre")) {
  const button = document.createElement("button");
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1200);
  });
  block.append(button);
}
refresh();
