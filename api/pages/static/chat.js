// The chat: asks, shows the answer as it arrives, and what it rests on. What was said stays with the tab until it is closed.
import { answer, inUnits } from "./answer.js";
import { claimList, details, folded, passageList, verdict } from "./evidence.js";
import { element } from "./made.js";

const at = id => document.getElementById(id);
const { root, key, name, collection } = at("ask").dataset, log = at("log"), form = at("form"), box = at("question");
// Another key in the same tab must not see what was said by this one. A question that a revoked key could not ask waits for its successor,
// which has the same name.
const KEPT = `groundwire.conversation.${key}`, SESSION = `groundwire.session.${key}`, UNASKED = `groundwire.unasked.${name}`;

const listed = list();
let turns = [];
let asking = null;

// Storage

function stored(name) {
  try { return sessionStorage.getItem(name); } catch { return null; }
}

function store(name, value) {
  try { value === null ? sessionStorage.removeItem(name) : sessionStorage.setItem(name, value); } catch { /* full, or forbidden: the page works without */ }
}

function session() {
  const id = stored(SESSION) ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
  store(SESSION, id);
  return id;
}

function keep() {
  store(KEPT, JSON.stringify(turns.slice(-20)));
  at("welcome").hidden = turns.length > 0;
  at("anew").hidden = turns.length === 0;
}

// What the server says

const WENT_WRONG = { failed: "The model failed.", timed_out: "The model took too long.", disconnected: "The connection was lost." };
const BROKEN = "The answer broke off. The connection was lost.";
const LEFT = "The page was left before the answer was whole.";

function wait(seconds) {
  const [number, unit] = seconds < 120 ? [seconds, "second"] : seconds < 7200 ? [Math.ceil(seconds / 60), "minute"] : [Math.ceil(seconds / 3600), "hour"];
  return ` Try again in ${number} ${unit}${number === 1 ? "" : "s"}.`;
}

async function told(response) {
  const { title, detail } = await response.json().catch(() => ({})), after = Number(response.headers.get("retry-after"));
  if (!title) return `The server cannot answer at present (${response.status}).`;
  const said = `${title[0].toUpperCase()}${title.slice(1)}`;
  return after > 0 ? `${said}.${wait(after)}` : `${said}: ${detail}.`;
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop();
    for (const block of blocks) {
      const name = /^event: ?(.*)$/m.exec(block), data = block.split("\n").filter(line => line.startsWith("data:"));
      if (name && data.length) yield [name[1], JSON.parse(data.map(line => line.slice(5)).join("\n"))];
    }
  }
}

function post(path, body, signal) {
  return fetch(root + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
}

function history() {
  const heard = turns.filter(({ result }) => result?.answer);
  return heard.slice(-20).flatMap(({ question, result }) => [{ role: "user", content: question }, { role: "assistant", content: result.answer.slice(0, 20000) }]);
}

// A question and its answer

const traceLink = id => element("a", { href: `${root}/traces/${id}`, textContent: "Open the trace" });
const quiet = (textContent, pressed) => {
  const button = element("button", { type: "button", className: "quiet", textContent });
  button.addEventListener("click", () => pressed(button));
  return button;
};

function open(question) {
  const said = element("div", { className: "answer prose", dir: "auto" }), status = element("p", { className: "status", role: "status" });
  const card = element("div", { className: "card" }, said, status);
  const turn = element("article", {}, element("h2", { className: "question", textContent: question, dir: "auto" }), card);
  log.append(turn);
  return { turn, card, said, status };
}

// What stands there already stays as it is, so that what is selected stays selected.
function show(said, made) {
  const fresh = [...made.childNodes];
  let same = 0;
  while (same < fresh.length && said.childNodes[same]?.isEqualNode(fresh[same])) same += 1;
  while (said.childNodes.length > same) said.lastChild.remove();
  said.append(...fresh.slice(same));
}

function reveal(item) {
  if (!item) return;
  item.closest("details").open = true;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  item.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "center" });
  item.focus({ preventScroll: true });
}

function prose(text, claims, turn, arriving = false) {
  const cite = number => {
    const button = element("button", { type: "button", className: "cite", textContent: `[${number}]`, ariaLabel: `Passage ${number}` });
    button.addEventListener("click", () => reveal(turn.querySelector(`[data-passage="${number}"]`)));
    return button;
  };
  const note = claim => {
    if (claim.verdict === "supported") return null;
    const button = element("button", { type: "button", className: `why ${claim.verdict}`, textContent: claim.verdict, ariaLabel: `${claim.verdict}: why?` });
    button.addEventListener("click", () => reveal(turn.querySelectorAll(".claims > li")[claim.place]));
    return button;
  };
  return answer(text, inUnits(text, claims).map((claim, place) => ({ ...claim, place })), { cite, note, arriving });
}

function finish({ turn, card, said, status }, result, withheld) {
  show(said, prose(result.answer, result.claims, turn));
  status.replaceChildren(verdict(result));
  const unsure = result.claims.some(claim => claim.verdict !== "supported"), claims = claimList(result.claims);
  claims.classList.add("claims");
  card.append(feedback(result));
  if (result.claims.length) card.append(folded("Claims and evidence", claims, unsure));
  if (withheld.length) card.append(folded(`What the model said and we did not show (${withheld.length})`, claimList(withheld)));
  if (result.passages.length) card.append(folded(`Passages (${result.passages.length})`, passageList(result.passages, result.claims)));
  card.append(folded("Details", details(result)));
}

function fail({ turn, card, said, status }, { question, text, reason, stopped, id }) {
  show(said, prose(text, [], turn));
  said.hidden = !text;
  status.replaceChildren(element("span", { className: stopped ? "" : "failed", textContent: reason }));
  const again = quiet("Try again", () => {
    const draft = box.value.trim();
    box.value = draft && draft !== question ? `${question}\n${draft}` : question;
    box.focus();
  });
  card.append(element("div", { className: "feedback" }, again, id && traceLink(id)));
}

// Readers never see what is withheld; whoever may see all traces does.
async function withheld(id) {
  if (!("inspects" in at("ask").dataset)) return [];
  const response = await fetch(`${root}/v1/traces/${id}`).catch(() => null);
  return response?.ok ? (await response.json()).withheld : [];
}

function feedback(result) {
  const said = element("span", { role: "status" }), comment = element("input", { type: "text", maxLength: 4000, placeholder: "What was right or wrong? (optional)", ariaLabel: "Comment" });
  const send = quiet("Send", () => comment.value.trim() && give({ comment: comment.value.trim() })), more = element("span", { className: "feedback", hidden: true }, comment, send);
  const thumbs = ["up", "down"].map(thumb => {
    const button = quiet(thumb === "up" ? "Helpful" : "Not helpful", () => give({ thumb }));
    button.dataset.thumb = thumb;
    button.ariaPressed = String(result.thumb === thumb);
    return button;
  });
  async function give(opinion) {
    try {
      const response = await post("/v1/feedback", { trace_id: result.trace_id, ...opinion });
      if (!response.ok) throw new Error(await told(response));
      if (opinion.thumb) result.thumb = opinion.thumb;
      for (const button of thumbs) button.ariaPressed = String(button.dataset.thumb === result.thumb);
      said.textContent = opinion.comment ? "Thank you, the comment is kept." : "Thank you.";
      more.hidden = Boolean(opinion.comment);
      more.scrollIntoView({ block: "nearest" });
      keep();
    } catch (error) {
      said.textContent = error.message;
    }
  }
  // Only a page from a safe origin may write to the clipboard.
  const copy = navigator.clipboard && quiet("Copy", button => navigator.clipboard.writeText(result.answer).then(() => { button.textContent = "Copied"; }, () => { button.textContent = "Not copied"; }));
  comment.addEventListener("keydown", event => { if (event.key === "Enter") send.click(); });
  return element("div", { className: "feedback", role: "group", ariaLabel: "This answer" }, copy, ...thumbs, traceLink(result.trace_id), said, more);
}

// Asking

// The newest question has room to stand at the top, however short its answer.
function makeRoom() {
  document.documentElement.style.setProperty("--ask", `${at("ask").offsetHeight}px`);
}

async function ask(question) {
  const aborting = asking = new AbortController(), place = open(question), turn = { question, text: "", reason: LEFT, id: null };
  const doing = text => { place.status.textContent = text; };
  turns.push(turn);
  at("send").hidden = true;
  at("stop").hidden = false;
  keep();
  place.said.ariaBusy = "true";
  doing("Searching the documents …");
  makeRoom();
  place.turn.scrollIntoView({ block: "start" });
  try {
    await listed;
    const body = { question, history: history(), session: session(), stream: true, model: at("model").value || null, collection: at("collection")?.value ?? collection ?? null };
    const response = await post("/chat", body, aborting.signal).catch(error => { throw aborting.signal.aborted ? error : new Error("The server cannot be reached."); });
    if (response.status === 401) return logIn(turn);
    if (!response.ok) throw new Error(await told(response));
    for await (const [name, data] of events(response)) {
      if (name === "retrieved") {
        turn.id = data.trace_id;
        doing(data.passages.length ? `${data.passages.length} passage${data.passages.length === 1 ? "" : "s"} found, writing …` : "No passage found …");
      }
      if (name === "delta") {
        turn.text += data.text;
        doing("Writing and checking …");
        show(place.said, prose(turn.text, [], place.turn, true));
      }
      if (name === "error") throw new Error("The answer broke off. The server failed.");
      if (name === "done") Object.assign(turn, { result: data, id: data.trace_id, text: data.answer });
    }
    if (!turn.result) throw new Error(BROKEN);
    if (turn.result.outcome in WENT_WRONG) throw new Error((turn.text ? "The answer broke off. " : "") + WENT_WRONG[turn.result.outcome]);
    turn.result.withheld = await withheld(turn.result.trace_id);
  } catch (error) {
    delete turn.result;
    turn.stopped = aborting.signal.aborted;
    turn.reason = turn.stopped ? "Stopped: the answer is not whole." : error instanceof TypeError ? BROKEN : error.message;
  } finally {
    asking = null;
    place.said.ariaBusy = null;
    at("send").hidden = false;
    at("stop").hidden = true;
    if (turns.includes(turn)) keep();
    draw(place, turn);
  }
}

function draw(place, turn) {
  if (turn.result) finish(place, turn.result, turn.result.withheld ?? []);
  else fail(place, turn);
}

function logIn(turn) {
  turn.reason = "The key is no longer known.";
  store(UNASKED, turn.question);
  location.assign(`${root}/login?next=${encodeURIComponent(location.pathname)}`);
}

form.addEventListener("submit", async event => {
  event.preventDefault();
  const question = box.value.trim();
  if (!question || asking) return;
  box.value = "";
  await ask(question);
  box.focus({ preventScroll: true });
});
box.addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
});
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => { box.value = example.textContent; form.requestSubmit(); });
}
at("send").disabled = false;
at("stop").addEventListener("click", () => asking?.abort());
document.addEventListener("keydown", event => { if (event.key === "Escape") asking?.abort(); });
at("anew").addEventListener("click", () => {
  asking?.abort();
  turns = [];
  log.replaceChildren();
  keep();
  box.focus();
});

// What was said in this tab before, and who can be asked

try { turns = JSON.parse(stored(KEPT) ?? "[]"); } catch { turns = []; }
for (const turn of turns) draw(open(turn.question), turn);
box.value ||= stored(UNASKED) ?? "";
store(UNASKED, null);
keep();
new ResizeObserver(makeRoom).observe(at("ask"));
makeRoom();
window.history.scrollRestoration = "manual";
log.lastElementChild?.scrollIntoView({ block: "start" });

async function list() {
  const { data } = await fetch(`${root}/v1/models`).then(response => response.ok ? response.json() : { data: [] }).catch(() => ({ data: [] }));
  // Where there is nothing to choose, the only one is asked all the same: the server's own may not be for this key.
  at("model").append(...data.map(({ id }) => element("option", { value: id, textContent: id })));
  at("models").hidden = data.length < 2;
}
