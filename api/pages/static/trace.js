// The answer on the page of a trace, as Markdown. Without this it stays the text that the server wrote.
import { answer } from "./answer.js";

const cite = number => Object.assign(document.createElement("a"), { className: "cite", href: `#passage-${number}`, textContent: `[${number}]`, ariaLabel: `Passage ${number}` });
const note = ({ verdict }) => Object.assign(document.createElement("span"), { className: "unseen", textContent: ` (${verdict})` });

for (const said of document.querySelectorAll("[data-markdown] > .said")) {
  const claims = [];
  let text = "";
  for (const part of said.childNodes) {
    if (part.classList?.contains("unseen")) continue;
    const start = text.length;
    text += part.textContent;
    if (part.classList?.contains("claim")) {
      const [verdict, reason] = part.title.split(/: (.*)/s);
      claims.push({ start, end: text.length, verdict, reason });
    }
  }
  const made = Object.assign(document.createElement("div"), { className: "prose", dir: "auto" });
  made.append(answer(text, claims, { cite, note }));
  said.replaceWith(made);
}
