// Knows how the text of an answer is shown: as Markdown, each claim underlined by its verdict, each citation by what it leads to.
import { markdown } from "./markdown.js";

const CITATION = /(?<!!)\[([1-9]\d{0,2}(?:\s?[,;–-]\s?[1-9]\d{0,2})*)\](?!\]*\(|:[ \t])/g;

// Claims have `start` and `end` in UTF-16 units. `cite(number)` makes what a citation is shown as, `note(claim)` what follows a claim.
export function answer(text, claims, { cite, note, arriving = false }) {
  const spans = apart(claims), pieces = new Map();
  let next = 0;

  function write(into, start, end, literal) {
    for (let at = start; at < end;) {
      while (spans[next]?.end <= at) next += 1;
      const claim = spans[next], inside = claim?.start <= at, until = Math.min(end, (inside ? claim.end : claim?.start) ?? end);
      let place = into;
      if (inside) {
        place = Object.assign(document.createElement("span"), { className: `claim ${claim.verdict}`, title: `${claim.verdict}: ${claim.reason}` });
        into.append(place);
        pieces.set(claim, place);
      }
      literal ? place.append(text.slice(at, until)) : cited(place, text.slice(at, until));
      at = until;
    }
  }

  function cited(into, part) {
    let end = 0;
    for (const found of part.matchAll(CITATION)) {
      into.append(part.slice(end, found.index), ...numbers(found[1]).map(cite));
      end = found.index + found[0].length;
    }
    into.append(part.slice(end));
  }

  const made = markdown(text, write, arriving);
  for (const [claim, last] of pieces) last.after(...[note(claim)].filter(Boolean));
  return made;
}

// Offsets from the server count code points; JavaScript strings count UTF-16 units.
export function inUnits(text, claims) {
  const units = [0];
  for (const character of text) units.push(units.at(-1) + character.length);
  return claims.map(claim => ({ ...claim, start: units[claim.start], end: units[claim.end] }));
}

// In order, without those that overlap the one before.
function apart(claims) {
  let end = 0;
  return [...claims].sort((a, b) => a.start - b.start).filter(claim => {
    const after = claim.start >= end && claim.end > claim.start;
    if (after) end = claim.end;
    return after;
  });
}

function numbers(marker) {
  return marker.split(/\s?[,;]\s?/).flatMap(part => {
    const [first, last = first] = part.split(/\s?[–-]\s?/).map(Number);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
  });
}
