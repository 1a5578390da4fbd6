// Knows what an answer rests on, and what it took: its claims, its passages, its details. Knows nothing of the conversation.
import { element } from "./made.js";

// Offsets from the server count code points.
const span = (text, start, end) => Array.from(text).slice(start, end).join("");
const milliseconds = value => value == null ? "–" : value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(0)} ms`;
// To three significant digits below one, to the cent above.
function dollars(value) {
  if (value == null) return "unknown";
  const amount = value / 1e9;
  return `$${amount === 0 || amount >= 0.9995 ? amount.toFixed(2) : Number(amount.toPrecision(3)).toFixed(9).replace(/0+$/, "")}`;
}

const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export function folded(title, content, open = false) {
  return element("details", { open }, element("summary", { textContent: title }), content);
}

export function claimList(claims) {
  return element("ul", { className: "list" }, ...claims.map(claim => element("li", { tabIndex: -1 },
    element("span", { className: `badge ${claim.verdict}`, textContent: claim.verdict }),
    element("span", { dir: "auto", textContent: claim.text }),
    element("p", { className: "place", textContent: claim.reason }),
    claim.evidence && element("blockquote", { dir: "auto", textContent: `[${claim.evidence.passage}] ${claim.evidence.quote}` }),
    claim.miscited.length && element("p", { className: "bad", textContent: `Does not rest on ${claim.miscited.map(number => `[${number}]`).join(" ")}` }),
  )));
}

export function passageList(passages, claims) {
  return element("ol", { className: "list" }, ...passages.map(passage => {
    const quoted = claims.map(claim => claim.evidence).filter(evidence => evidence?.passage === passage.number).sort((a, b) => a.start - b.start);
    const text = element("p", { className: "text", dir: "auto" }), place = [passage.document_id, passage.page && `page ${passage.page}`, ...passage.headings].filter(Boolean).join(" › ");
    let end = 0;
    for (const evidence of quoted) {
      if (evidence.start < end) continue;
      text.append(span(passage.text, end, evidence.start), element("mark", { textContent: span(passage.text, evidence.start, evidence.end) }));
      end = evidence.end;
    }
    text.append(span(passage.text, end));
    const item = element("li", { tabIndex: -1 }, element("span", { className: "place", textContent: `[${passage.number}] ${place}` }), text);
    item.dataset.passage = passage.number;
    return item;
  }));
}

export function details(result) {
  const facts = {
    model: result.model ?? "none", variant: result.variant, experiment: result.experiment && `${result.experiment}, ${result.arm ?? "outside"}`,
    tokens: `${result.usage.prompt} in, ${result.usage.completion} out`, cost: dollars(result.cost_nanodollars),
    "first text": milliseconds(result.first_token_ms), whole: milliseconds(result.total_ms), "searched for": result.query, trace: result.trace_id,
  };
  const known = Object.entries(facts).filter(([, value]) => value);
  return element("dl", { className: "identities" }, ...known.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]));
}

// One line on how it went: whether what is said is supported.
export function verdict({ outcome, reason, claims }) {
  const supported = claims.filter(claim => claim.verdict === "supported").length;
  if (outcome === "refused") return element("span", { textContent: `Not answered${reason ? `: ${reason}` : ""}` });
  if (!claims.length) return element("span", { textContent: "Nothing in it could be checked" });
  return element("span", { className: supported === claims.length ? "good" : "open", textContent: `${supported} of ${counted(claims.length, "claim")} supported` });
}
