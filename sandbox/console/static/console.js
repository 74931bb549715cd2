// Keeps the console page up to date and sends what its buttons say. No library, nothing from elsewhere.
"use strict";

const notice = document.getElementById("notice");
const trouble = document.getElementById("trouble");
const NOTICE_MILLISECONDS = 8000;
const working = new Set(); // ids of buttons whose request is under way
let fading = null; // the timer that takes the last notice away
let clock = null; // the sandbox's time when it was last told, and the page's own at that moment

function say(element, text) {
  element.textContent = text; // an empty one isn't seen
}

// Says that something went well, and takes it away again; what went wrong stays until the next action.
function tell(text) {
  clearTimeout(fading);
  say(notice, text);
  fading = setTimeout(() => say(notice, ""), NOTICE_MILLISECONDS);
}

function fields(region) {
  return region.querySelectorAll("select, input");
}

// What was chosen in a field, or typed into it; undefined if it is as it was drawn.
function entered(field) {
  return field.options === undefined && field.value === field.defaultValue ? undefined : field.value;
}

// Replaces a region without taking away the focus, or what was chosen, typed or opened in it.
function replace(region, html) {
  const values = new Map(Array.from(fields(region), (field) => [field.id, entered(field)]));
  const opened = Array.from(region.querySelectorAll("details[open]"), (details) => details.id);
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  region.innerHTML = html; // the server's templates escape every value
  for (const field of fields(region)) {
    const value = values.get(field.id);
    const fits = field.options === undefined || Array.from(field.options).some((option) => option.value === value);
    if (value !== undefined && fits) field.value = value;
  }
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  for (const id of working) markWorking(id);
  if (focused !== "") document.getElementById(focused)?.focus();
}

function markWorking(id) {
  const button = document.getElementById(id);
  if (button === null) return;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
}

function markDone(id) {
  working.delete(id);
  const button = document.getElementById(id);
  if (button === null) return;
  button.disabled = false;
  button.removeAttribute("aria-busy");
}

// What a button sends: what it says itself, and the values of the fields that it names.
function command(told) {
  const valueOf = (id) => document.getElementById(id).value;
  const body = {};
  if (told.seconds !== undefined) body.seconds = Number(told.seconds);
  if (told.to !== undefined) body.to = told.to;
  if (told.account !== undefined) body.account = Number(told.account);
  if (told.planFrom !== undefined) body.plan = Number(valueOf(told.planFrom));
  if (told.loginFrom !== undefined) body.login = valueOf(told.loginFrom);
  if (told.faultFrom !== undefined) body.fault = valueOf(told.faultFrom);
  return body;
}

async function send(button) {
  const id = button.id;
  const hadFocus = document.activeElement === button;
  working.add(id);
  markWorking(id);
  say(trouble, "");
  try {
    const answer = await fetch(button.dataset.post, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(command(button.dataset)),
    });
    const kind = answer.headers.get("Content-Type") ?? "";
    const message = kind.startsWith("application/json") ? (await answer.json()).message : await answer.text();
    tell(answer.ok ? message : "");
    if (!answer.ok) say(trouble, message);
  } catch {
    say(trouble, "The sandbox doesn't answer. Is it still running?");
  } finally {
    markDone(id);
    // A disabled button loses the focus; give it back unless the reader has moved on.
    if (hadFocus && document.activeElement === document.body) document.getElementById(id)?.focus();
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-post]");
  if (button !== null && !button.disabled) send(button);
});

function showTime() {
  const element = document.getElementById("now");
  if (element === null || clock === null) return;
  const now = clock.running ? clock.now + (performance.now() - clock.told) : clock.now;
  const text = new Date(now).toISOString();
  element.dateTime = text;
  element.textContent = `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}
setInterval(showTime, 1000);

const stream = new EventSource("events");
let lost = false;
stream.onmessage = (event) => {
  const update = JSON.parse(event.data);
  for (const [name, html] of Object.entries(update.regions)) {
    const region = document.getElementById(name);
    if (region === null) return location.reload(); // an account was added: the page has a new part
    if (region.innerHTML !== html) replace(region, html);
  }
  clock = { now: update.now, running: update.running, told: performance.now() };
  showTime();
  if (lost) say(trouble, "");
  lost = false;
  document.documentElement.dataset.live = "yes";
};
stream.onerror = () => {
  lost = true;
  delete document.documentElement.dataset.live;
  say(trouble, "The connection to the sandbox is lost. Trying again …");
};
