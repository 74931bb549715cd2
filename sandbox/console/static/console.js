// Keeps the console page up to date and sends what its buttons say. No library, nothing from elsewhere.
"use strict";

import { morph } from "./morph.js";

const NOTICE_MILLISECONDS = 4000; // on a narrow screen it covers the thread, so it goes soon
const UNDO_MILLISECONDS = 15000;
const NEAR_END_PIXELS = 60;
const AWAITED_MILLISECONDS = 15000; // so long somebody who has commented is shown the answer wherever it comes
const FOCUSABLE = "button:not(:disabled), a[href], input, select, textarea, summary";

const run = document.documentElement.dataset.run;
const notice = document.getElementById("notice");
const noticeBox = document.getElementById("notice-box");
const trouble = document.getElementById("trouble");
const undoButton = document.getElementById("undo");
const dialog = document.getElementById("reset-dialog");
const working = new Set(); // ids of buttons whose request is under way
let fading = null; // the timer that takes the last notice away
let undo = null; // how the last action is taken back, and where the focus goes then
let clock = null; // the sandbox's time when it was last told, and the page's own at that moment
let isStartingOver = false;
let isLedAway = false; // whether the focus is to follow to the account that is shown next
let commentedAt = -Infinity; // when this page last sent a comment

// What is said ----------------------------------------------------------------------------------------------------

function say(element, text) {
  element.textContent = text; // an empty one isn't seen
}

// Says that something went well, and takes it away again; what went wrong stays until the next action.
function tell(text, howToUndo = null, trigger = "") {
  say(notice, text);
  undo = howToUndo === null ? null : { ...howToUndo, trigger };
  undoButton.hidden = undo === null;
  if (undo !== null) say(undoButton, undo.label);
  fadeLater(undo === null ? NOTICE_MILLISECONDS : UNDO_MILLISECONDS);
}

function fadeLater(milliseconds) {
  clearTimeout(fading);
  fading = setTimeout(() => {
    // Whoever is about to press its button is given the time.
    if (noticeBox.matches(":hover, :focus-within")) fadeLater(NOTICE_MILLISECONDS);
    else tell("");
  }, milliseconds);
}

// Says something to those who can't see that the page has changed.
function speak(text) {
  say(document.getElementById("spoken"), text);
}

// What is sent ----------------------------------------------------------------------------------------------------

// The values of a form's fields by their names, as JSON has them.
function entered(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name || (field.type === "radio" && !field.checked)) continue;
    if (field.type === "checkbox") values[field.name] = field.checked;
    else if (field.type === "number" || field.dataset.number !== undefined) values[field.name] = Number(field.value);
    else values[field.name] = field.value;
  }
  return values;
}

function fixed(element) {
  return JSON.parse(element?.dataset.values ?? "{}");
}

function clear(form) {
  for (const field of form.elements) {
    if (field.matches("textarea, input:not([type=radio], [type=checkbox], [type=number])")) field.value = "";
  }
}

// Sends an action; true if it was done.
async function send(action, values, button) {
  const id = button?.id ?? "";
  if (working.has(id)) return false;
  if (id) working.add(id);
  if (action === "comment") commentedAt = performance.now();
  markWorking();
  say(trouble, "");
  try {
    const answer = await fetch(`act/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(values),
    });
    const isJson = (answer.headers.get("Content-Type") ?? "").startsWith("application/json");
    const said = isJson ? await answer.json() : { message: await answer.text() };
    if (answer.ok) {
      tell(said.message, said.undo, id);
      if (said.go !== null) {
        // From further down one wouldn't see where it has led to.
        isLedAway = button?.closest(".columns") === null;
        go(said.go);
      }
    } else {
      tell("");
      say(trouble, said.message);
    }
    return answer.ok;
  } catch {
    say(trouble, "The sandbox doesn't answer. Is it still running?");
    return false;
  } finally {
    working.delete(id);
    unmark(id);
  }
}

// A button rests while its request is under way, but keeps the focus.
function markWorking() {
  for (const id of working) {
    document.getElementById(id)?.setAttribute("aria-busy", "true");
    document.getElementById(id)?.setAttribute("aria-disabled", "true");
  }
}

function unmark(id) {
  document.getElementById(id)?.removeAttribute("aria-busy");
  document.getElementById(id)?.removeAttribute("aria-disabled");
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const action = event.submitter?.dataset.act ?? form.dataset.act;
  const isDone = await send(action, { ...fixed(form), ...entered(form) }, event.submitter);
  if (isDone && form.dataset.clear !== undefined) clear(form);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  const link = event.target.closest("a[data-go]");
  if (link !== null && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    go(link.getAttribute("href"));
    speak(`${link.textContent.trim().replace(/\s+/g, " ")}: shown.`);
  } else if (button === undoButton && undo !== null) {
    const { action, values, trigger } = undo;
    document.getElementById(trigger)?.focus();
    await send(action, values, document.getElementById(trigger));
  } else if (button?.id === "reset") {
    dialog.showModal();
  } else if (button?.id === "reset-keep") {
    dialog.close();
  } else if (button?.id === "reset-do") {
    dialog.close();
    isStartingOver = await send("start_over", {}, button);
  } else if (button?.dataset.say !== undefined) {
    await send(button.form.dataset.act, { ...fixed(button.form), ...entered(button.form), body: button.dataset.say }, button);
  } else if (button?.dataset.act !== undefined && (button.form === null || button.type === "button")) {
    await send(button.dataset.act, fixed(button), button);
  }
});

document.addEventListener("keydown", (event) => {
  const form = event.target.closest("textarea")?.form;
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(form.querySelector("button:not([type=button])"));
  }
});

// What is shown ---------------------------------------------------------------------------------------------------

function atEnd(scroller) {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PIXELS;
}

function stamps(region) {
  return new Map(Array.from(region.querySelectorAll("[data-stamp]"), (post) => [post.id, post.dataset.stamp]));
}

// Draws a region anew, without taking anything away from whoever is using it.
function redraw(region, html) {
  const scroller = region.querySelector("[data-keep-end]");
  const wasAt = scroller === null || atEnd(scroller) ? null : scroller.dataset.keepEnd;
  const before = stamps(region);
  const hadFocus = region.contains(document.activeElement);
  morph(region, html);
  markWorking();
  if (hadFocus && !region.contains(document.activeElement)) region.querySelector(FOCUSABLE)?.focus();
  const now = region.querySelector("[data-keep-end]");
  if (now !== null && now.dataset.keepEnd !== wasAt) now.scrollTop = now.scrollHeight;
  for (const [id, stamp] of stamps(region)) {
    const post = document.getElementById(id);
    if (before.get(id) !== stamp && before.size > 0) bring(post);
    if (before.has(id) && before.get(id) !== stamp) pointOut(post);
  }
}

// The answer to one's own comment is shown, also where one would have to scroll to it.
function bring(post) {
  const isAwaited = performance.now() - commentedAt < AWAITED_MILLISECONDS;
  if (isAwaited && post.classList.contains("ours")) post.scrollIntoView({ block: "nearest" });
}

// An answer that is edited in place shouldn't be missed.
function pointOut(post) {
  post.classList.add("changed");
  post.addEventListener("animationend", () => post.classList.remove("changed"), { once: true });
  speak(`${post.dataset.author} has changed a comment.`);
}

function showTime() {
  const element = document.getElementById("now");
  if (element === null || clock === null) return;
  const now = clock.running ? clock.now + (performance.now() - clock.told) : clock.now;
  const text = new Date(now).toISOString();
  element.dateTime = text;
  element.textContent = `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}
setInterval(showTime, 1000);

// What the server tells -------------------------------------------------------------------------------------------

let stream = null;
let isLost = false;

function go(query) {
  history.pushState(null, "", query);
  watch();
}

function watch() {
  stream?.close();
  stream = new EventSource(`events${location.search}`);
  stream.onmessage = (event) => {
    const update = JSON.parse(event.data);
    if (update.run !== run) return reload();
    for (const [name, html] of Object.entries(update.regions)) redraw(document.getElementById(name), html);
    if (isLedAway) document.querySelector("#accounts [aria-current]")?.focus();
    isLedAway = false;
    clock = { now: update.now, running: update.running, told: performance.now() };
    showTime();
    if (isLost) say(trouble, "");
    isLost = false;
    document.documentElement.dataset.live = "yes";
  };
  stream.onerror = () => {
    isLost = true;
    delete document.documentElement.dataset.live;
    if (isStartingOver) tell("Starting over …");
    else say(trouble, "The connection to the sandbox is lost. Trying again …");
  };
}

// Everything began anew: this page is of the time before.
function reload() {
  stream.close();
  sessionStorage.setItem("reloaded", "yes");
  location.reload();
}

window.addEventListener("popstate", watch);
watch();

const news = document.getElementById("news");
if (sessionStorage.getItem("reloaded") !== null) {
  sessionStorage.removeItem("reloaded");
  news.hidden = news.textContent === "";
  tell(news.textContent);
}
const posts = document.getElementById("posts");
if (posts !== null) posts.scrollTop = posts.scrollHeight;
