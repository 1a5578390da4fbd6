// The chat: asks, shows the answer as it arrives, and what it rests on. What was said stays with the tab until it is closed.
const at = id => document.getElementById(id);
const root = at("ask").dataset.root, log = at("log"), form = at("form"), box = at("question");
// Another key in the same tab must not see what was said by this one.
const KEPT = `groundwire.conversation.${at("ask").dataset.key}`, SESSION = `groundwire.session.${at("ask").dataset.key}`;

let turns = [];
let asking = null;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Storage

function stored(name) {
  try { return sessionStorage.getItem(name); } catch { return null; }
}

function store(name, value) {
  try { sessionStorage.setItem(name, value); } catch { /* full, or forbidden: the page works without */ }
}

function session() {
  const id = stored(SESSION) ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
  store(SESSION, id);
  return id;
}

function keep() {
  store(KEPT, JSON.stringify(turns.slice(-20)));
  at("welcome").hidden = turns.length > 0 || asking !== null;
  at("anew").hidden = turns.length === 0;
}

// What the server says

async function told(response) {
  const problem = await response.json().catch(() => ({}));
  const said = problem.error ? [problem.error.message] : [problem.title, problem.detail];
  return said.filter(part => typeof part === "string").join(": ") || `the server answered ${response.status}`;
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
  const heard = turns.filter(turn => turn.result.answer && ["answered", "refused"].includes(turn.result.outcome));
  return heard.slice(-20).flatMap(turn => [{ role: "user", content: turn.question }, { role: "assistant", content: turn.result.answer.slice(0, 20000) }]);
}

// An answer and what it rests on

// Offsets from the server count code points; JavaScript strings count UTF-16 units.
const span = (text, start, end) => Array.from(text).slice(start, end).join("");

function withCitations(text, turn) {
  const made = document.createDocumentFragment();
  for (const part of text.split(/(\[\d+(?:\s*,\s*\d+)*\])/)) {
    const numbers = /^\[([\d,\s]+)\]$/.exec(part);
    if (!numbers) { made.append(part); continue; }
    for (const number of numbers[1].split(",")) {
      const link = element("button", { type: "button", className: "cite", textContent: `[${number.trim()}]`, title: "Show the passage" });
      link.setAttribute("aria-label", `Passage ${number.trim()}`);
      link.addEventListener("click", () => showPassage(turn, Number(number)));
      made.append(link);
    }
  }
  return made;
}

function showPassage(turn, number) {
  const item = turn.querySelector(`[data-passage="${number}"]`);
  if (!item) return;
  item.closest("details").open = true;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  item.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "center" });
  item.focus({ preventScroll: true });
}

function annotated(answer, claims, turn) {
  const made = document.createDocumentFragment();
  let end = 0;
  for (const claim of [...claims].sort((a, b) => a.start - b.start)) {
    if (claim.start < end) continue;
    made.append(withCitations(span(answer, end, claim.start), turn));
    made.append(element("span", { className: `claim ${claim.verdict}`, title: `${claim.verdict}: ${claim.reason}` }, withCitations(span(answer, claim.start, claim.end), turn)));
    if (claim.verdict !== "supported") made.append(element("span", { className: "unseen", textContent: ` (${claim.verdict})` }));
    end = claim.end;
  }
  made.append(withCitations(span(answer, end), turn));
  return made;
}

function claimList(claims) {
  const list = element("ul", { className: "list" });
  for (const claim of claims) {
    const item = element("li", {}, element("span", { className: `badge ${claim.verdict}`, textContent: claim.verdict }), claim.text, element("p", { className: "place", textContent: claim.reason }));
    if (claim.evidence) item.append(element("blockquote", { textContent: `[${claim.evidence.passage}] ${claim.evidence.quote}` }));
    if (claim.miscited.length) item.append(element("p", { className: "bad", textContent: `Does not rest on ${claim.miscited.map(number => `[${number}]`).join(" ")}` }));
    list.append(item);
  }
  return list;
}

function passageList(passages, claims) {
  const list = element("ol", { className: "list" });
  for (const passage of passages) {
    const item = element("li", { tabIndex: -1 }, element("span", { className: "place", textContent: `[${passage.number}] ${[passage.document_id, ...passage.headings].join(" › ")} · characters ${passage.start}–${passage.end}` }));
    item.dataset.passage = passage.number;
    const text = element("p", { className: "text" }), quoted = claims.map(claim => claim.evidence).filter(evidence => evidence && evidence.passage === passage.number).sort((a, b) => a.start - b.start);
    let end = 0;
    for (const evidence of quoted) {
      if (evidence.start < end) continue;
      text.append(span(passage.text, end, evidence.start), element("mark", { textContent: span(passage.text, evidence.start, evidence.end) }));
      end = evidence.end;
    }
    text.append(span(passage.text, end));
    item.append(text);
    list.append(item);
  }
  return list;
}

function folded(title, content, open = false) {
  return element("details", { open }, element("summary", { textContent: title }), content);
}

const milliseconds = value => value == null ? "–" : value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(0)} ms`;
const dollars = value => value == null ? "cost unknown" : `$${(value / 1e9).toFixed(9).replace(/0+$/, "").replace(/\.$/, ".00")}`;
const traceLink = id => element("a", { href: `${root}/traces/${id}`, textContent: "Open the trace" });

function finish(turn, card, answer, result) {
  answer.replaceChildren(annotated(result.answer, result.claims, turn));
  answer.hidden = !result.answer;
  const supported = result.claims.filter(claim => claim.verdict === "supported").length;
  const status = element("p", { className: "status" }), good = ["answered", "refused"].includes(result.outcome);
  const facts = [
    result.claims.length ? `${supported} of ${result.claims.length} claims supported` : "",
    [result.variant, result.experiment && `${result.arm ?? "outside"} of ${result.experiment}`, result.model ?? "no model"].filter(Boolean).join(" · "),
    `${result.usage.prompt} + ${result.usage.completion} tokens`, dollars(result.cost_nanodollars),
    `first text ${milliseconds(result.first_token_ms)}, whole ${milliseconds(result.total_ms)}`,
  ];
  status.append(element("span", { className: good ? "" : "failed", textContent: (result.reason ? `${result.outcome}: ${result.reason}` : result.outcome).replaceAll("_", " ") }));
  for (const fact of facts.filter(Boolean)) status.append(element("span", { textContent: fact }));
  status.append(traceLink(result.trace_id));
  card.append(status, feedback(result));
  if (result.query) card.append(element("p", { className: "place", textContent: `Searched for “${result.query}”, which the conversation makes of the question.` }));
  if (result.claims.length) card.append(folded("Claims and evidence", claimList(result.claims), result.claims.length > supported));
  if (result.withheld?.length) card.append(folded(`What the model said and we did not show (${result.withheld.length})`, claimList(result.withheld)));
  if (result.passages.length) card.append(folded(`Passages (${result.passages.length})`, passageList(result.passages, result.claims)));
}

// Readers never see what is withheld; whoever may see all traces does.
async function withheld(id) {
  if (!("inspects" in document.getElementById("ask").dataset)) return [];
  const response = await fetch(`${root}/v1/traces/${id}`).catch(() => null);
  return response?.ok ? (await response.json()).withheld : [];
}

function feedback(result) {
  const bar = element("div", { className: "feedback", role: "group", ariaLabel: "Feedback on this answer" });
  const said = element("span", { role: "status" }), comment = element("input", { type: "text", maxLength: 4000, placeholder: "What was right or wrong? (optional)", ariaLabel: "Comment" });
  const send = element("button", { type: "button", className: "quiet", textContent: "Send" }), more = element("span", { className: "feedback", hidden: true }, comment, send);
  const thumbs = ["up", "down"].map(thumb => {
    const button = element("button", { type: "button", className: "quiet", textContent: thumb === "up" ? "Helpful" : "Not helpful", ariaPressed: String(result.thumb === thumb) });
    button.dataset.thumb = thumb;
    button.addEventListener("click", () => give({ thumb }));
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
  send.addEventListener("click", () => comment.value.trim() && give({ comment: comment.value.trim() }));
  comment.addEventListener("keydown", event => { if (event.key === "Enter") send.click(); });
  bar.append(...thumbs, said, more);
  return bar;
}

function open(question) {
  const answer = element("p", { className: "answer", dir: "auto" }), card = element("div", { className: "card" }, answer);
  const turn = element("article", {}, element("p", { className: "question", textContent: question, dir: "auto" }), card);
  log.append(turn);
  return { turn, card, answer };
}

async function ask(question) {
  asking = new AbortController();
  const { turn, card, answer } = open(question);
  let id = null;
  at("send").hidden = true;
  at("stop").hidden = false;
  keep();
  answer.classList.add("waiting");
  turn.setAttribute("aria-busy", "true");
  turn.scrollIntoView({ block: "start" });
  try {
    const body = { question, history: history(), session: session(), stream: true, model: at("model").value || null, collection: at("collection")?.value ?? at("ask").dataset.collection ?? null };
    const response = await post("/chat", body, asking.signal);
    if (response.status === 401) { location.href = `${root}/login`; return; }
    if (!response.ok) throw new Error(await told(response));
    let result = null;
    for await (const [name, data] of events(response)) {
      if (name === "retrieved") id = data.trace_id;
      if (name === "delta") answer.append(element("span", { className: "piece", textContent: data.text }));
      if (name === "error") throw new Error([data.title, data.detail].join(": "));
      if (name === "done") result = data;
    }
    if (!result) throw new Error("the connection ended before the answer did");
    result.withheld = await withheld(result.trace_id);
    turns.push({ question, result });
    finish(turn, card, answer, result);
  } catch (error) {
    const stopped = asking.signal.aborted;
    const status = element("p", { className: "status" }, element("span", { className: stopped ? "" : "failed", textContent: stopped ? "Stopped: the answer is not whole." : error.message }));
    if (id) status.append(traceLink(id));
    if (!answer.textContent) answer.hidden = true;
    card.append(status);
  } finally {
    asking = null;
    answer.classList.remove("waiting");
    turn.removeAttribute("aria-busy");
    at("send").hidden = false;
    at("stop").hidden = true;
    keep();
  }
}

form.addEventListener("submit", async event => {
  event.preventDefault();
  const question = box.value.trim();
  if (!question || asking) return;
  box.value = "";
  await ask(question);
  box.focus();
});
box.addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
});
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
for (const { question, result } of turns) {
  const { turn, card, answer } = open(question);
  finish(turn, card, answer, result);
}
log.lastElementChild?.scrollIntoView({ block: "start" });
keep();

const models = await fetch(`${root}/v1/models`).then(response => response.ok ? response.json() : { data: [] }).catch(() => ({ data: [] }));
// Where there is nothing to choose, the only one is asked all the same: the server's own may not be for this key.
at("model").append(...models.data.map(({ id }) => element("option", { value: id, textContent: id })));
at("models").hidden = models.data.length < 2;
