// Knows the Markdown that models write: paragraphs, headings, bold, italics, inline code, links, fences, lists, tables, block quotes, rules.
// Makes nodes of text, never HTML of it. Knows nothing of what the text is: who calls writes each stretch of it.

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^([ \t]*)([-*+]|(\d{1,9})[.)])(?:[ \t]+|$)/;
const DELIMITERS = /^[ \t]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const SPECIAL = /\\[!-/:-@[-`{-~]|`+|\*+|_+|\[/g;
const LINK = /\[((?:[^[\]\\\n]|\\.){1,300})\]\((https?:\/\/[^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)*)(?:[ \t]+"[^"\n]*")?\)/iy;
const DEEPEST = 8;

// `write(parent, start, end, literal)` appends source.slice(start, end) to the parent. While text arrives, what is not closed yet counts as
// closed at its end, and what may yet turn into something else waits.
export function markdown(source, write, arriving = false) {
  const made = document.createDocumentFragment(), end = arriving ? decided(source) : source.length, lines = [];
  const last = source.slice(0, end).trimEnd().length;
  for (let start = 0; start <= end;) {
    const stop = source.indexOf("\n", start), until = stop < 0 || stop > end ? end : stop;
    lines.push([start, until]);
    start = until + 1;
  }

  function blocks(into, lines, depth) {
    for (let at = 0; at < lines.length;) {
      const line = text(lines[at]);
      if (!line.trim()) at += 1;
      else if (FENCE.test(line)) at = fence(into, lines, at);
      else if (HEADING.test(line)) at = heading(into, lines, at);
      else if (RULE.test(line)) { add(into, "hr"); at += 1; }
      else if (depth < DEEPEST && QUOTE.test(line)) at = quote(into, lines, at, depth);
      else if (depth < DEEPEST && ITEM.test(line)) at = list(into, lines, at, depth);
      else if (delimited(lines, at)) at = table(into, lines, at);
      else at = paragraph(into, lines, at);
    }
  }

  const text = ([start, end]) => source.slice(start, end);

  function begins(lines, at) {
    const line = text(lines[at]), item = ITEM.exec(line);
    return !line.trim() || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || (item && (item[3] ?? "1") === "1") || delimited(lines, at);
  }

  function paragraph(into, lines, at) {
    const first = at;
    do at += 1; while (at < lines.length && !begins(lines, at));
    inline(add(into, "p"), lines.slice(first, at).map(trimmed));
    return at;
  }

  function heading(into, lines, at) {
    const [opening, { length: level }] = HEADING.exec(text(lines[at])), [start, end] = lines[at];
    const closing = / +#+[ \t]*$/.exec(text([start + opening.length, end]))?.[0].length ?? 0;
    inline(add(into, `h${Math.min(level + 2, 6)}`), [trimmed([start + opening.length, end - closing])]);
    return at + 1;
  }

  function fence(into, lines, at) {
    const [opening, mark] = FENCE.exec(text(lines[at])), indent = opening.length - mark.length, code = add(add(into, "pre"), "code");
    for (at += 1; at < lines.length; at += 1) {
      const closing = FENCE.exec(text(lines[at]))?.[1];
      if (closing?.startsWith(mark) && text(lines[at]).trim() === closing) return at + 1;
      if (code.hasChildNodes()) code.append("\n");
      const [start, end] = outdented(lines[at], indent);
      // A line that is empty still counts as one.
      if (start < end) write(code, start, end, true); else code.append("");
    }
    return at;
  }

  function quote(into, lines, at, depth) {
    const inner = [];
    for (; at < lines.length && (QUOTE.test(text(lines[at])) || (inner.length && !begins(lines, at))); at += 1) {
      inner.push([lines[at][0] + (QUOTE.exec(text(lines[at]))?.[0].length ?? 0), lines[at][1]]);
    }
    blocks(add(into, "blockquote"), inner, depth + 1);
    return at;
  }

  function list(into, lines, at, depth) {
    const [, space, , number] = ITEM.exec(text(lines[at])), base = columns(space), made = add(into, number ? "ol" : "ul");
    if (number && number !== "1") made.start = Number(number);
    while (at < lines.length) {
      const item = ITEM.exec(text(lines[at]));
      if (!item || columns(item[1]) > base + 1 || Boolean(item[3]) !== Boolean(number) || RULE.test(text(lines[at]))) break;
      const inner = [[lines[at][0] + item[0].length, lines[at][1]]];
      let most = columns(item[1]) + item[2].length + 1;
      for (at += 1; at < lines.length; at += 1) {
        const line = text(lines[at]), after = written(lines, at);
        if (after > at) {
          if (after === lines.length || indent(lines[after]) < base + 2) break;
          inner.push(...lines.slice(at, after));
          at = after - 1;
          continue;
        }
        if (indent(lines[at]) >= base + 2) most = Math.min(most, indent(lines[at]));
        else if (begins(lines, at) || ITEM.test(line) || !text(inner.at(-1)).trim()) break;
        inner.push(outdented(lines[at], most));
      }
      blocks(add(made, "li"), inner, depth + 1);
      const after = written(lines, at);
      if (after < lines.length && ITEM.test(text(lines[after]))) at = after;
    }
    return at;
  }

  // The next line that is not blank.
  function written(lines, at) {
    while (at < lines.length && !text(lines[at]).trim()) at += 1;
    return at;
  }

  const indent = line => columns(/^[ \t]*/.exec(text(line))[0]);

  function delimited(lines, at) {
    return at + 1 < lines.length && text(lines[at]).includes("|") && text(lines[at + 1]).includes("-") && DELIMITERS.test(text(lines[at + 1]))
      && cells(lines[at]).length === cells(lines[at + 1]).length;
  }

  function table(into, lines, at) {
    const frame = add(into, "div", { className: "wide", tabIndex: 0, role: "group", ariaLabel: "Table" }), made = add(frame, "table");
    const sides = cells(lines[at + 1]).map(cell => /^(:?)-+(:?)$/.exec(text(cell))).map(side => side?.[2] ? (side[1] ? "center" : "right") : "");
    function row(into, tag, line) {
      const made = add(into, "tr"), found = cells(line);
      for (let column = 0; column < Math.max(found.length, sides.length); column += 1) {
        const cell = add(made, tag, tag === "th" ? { scope: "col" } : {});
        cell.style.textAlign = sides[column] ?? "";
        if (found[column]) inline(cell, [found[column]]);
      }
    }
    row(add(made, "thead"), "th", lines[at]);
    const body = add(made, "tbody");
    for (at += 2; at < lines.length && text(lines[at]).includes("|") && !begins(lines, at); at += 1) row(body, "td", lines[at]);
    return at;
  }

  function cells(line) {
    let [start, end] = trimmed(line);
    if (source[start] === "|") start += 1;
    const found = [];
    for (let at = start; at <= end; at += 1) {
      if (at < end && source[at] === "\\") at += 1;
      else if (at === end || source[at] === "|") { found.push(trimmed([start, at])); start = at + 1; }
    }
    if (found.length > 1 && source[end - 1] === "|" && source[end - 2] !== "\\") found.pop();
    return found;
  }

  function trimmed([start, end]) {
    const line = source.slice(start, end), from = line.length - line.trimStart().length;
    return [start + from, start + Math.max(from, line.trimEnd().length)];
  }

  function outdented([start, end], most) {
    let from = start;
    while (from < end && from - start < most && " \t".includes(source[from])) from += 1;
    return [from, end];
  }

  // Text with emphasis, code and links, in stretches of one line each.
  function inline(into, stretches) {
    const joined = stretches.map(text).join("\n"), ends = [], open = arriving && stretches.at(-1)[1] >= last;
    for (const [start, stop] of stretches) ends.push((ends.at(-1) ?? -1) + 1 + stop - start);
    let line = 0;

    function leaf(into, from, to, literal) {
      while (from < to) {
        while (from > ends[line]) line += 1;
        if (from === ends[line]) { literal ? into.append(" ") : add(into, "br"); from += 1; continue; }
        const until = Math.min(to, ends[line]), shift = stretches[line][1] - ends[line];
        write(into, from + shift, until + shift, literal);
        from = until;
      }
    }

    function spans(into, from, to, depth) {
      const unclosed = new Set();
      let begun = from;
      const flush = until => { if (begun < until) leaf(into, begun, until, false); };
      for (let at = from; at < to;) {
        SPECIAL.lastIndex = at;
        const found = SPECIAL.exec(joined);
        if (!found || found.index >= to) break;
        const [mark] = found, start = found.index, inner = start + mark.length, before = joined[start - 1] ?? " ";
        at = inner;
        if (mark[0] === "\\") { flush(start); begun = start + 1; }
        else if (mark[0] === "`") {
          const close = closed(mark, inner, to, unclosed, codeEnd);
          if (close === null) continue;
          const spaced = joined[inner] === " " && (joined[close - 1] === " " || close === to) && joined.slice(inner, close).trim() ? 1 : 0;
          flush(start);
          leaf(add(into, "code"), inner + spaced, joined[close - 1] === " " ? close - spaced : close, true);
          begun = at = Math.min(to, close + mark.length);
        } else if (mark[0] === "[") {
          LINK.lastIndex = start;
          const link = before !== "!" && depth < DEEPEST ? LINK.exec(joined) : null;
          if (!link || LINK.lastIndex > to || !URL.canParse(link[2])) continue;
          flush(start);
          spans(add(into, "a", { href: link[2], title: link[2], target: "_blank", rel: "noopener noreferrer nofollow" }), inner, inner + link[1].length, depth + 1);
          begun = at = start + link[0].length;
        } else {
          const opens = mark.length <= 3 && inner < to && /\S/.test(joined[inner]) && !(mark === "*" ? /[A-Za-z0-9]/ : mark[0] === "_" ? /[\p{L}\p{N}]/u : /^$/).test(before);
          const close = opens && depth < DEEPEST ? closed(mark, inner, to, unclosed, emphasisEnd) : null;
          if (close === null) continue;
          flush(start);
          const outer = add(into, mark.length === 1 ? "em" : "strong");
          spans(mark.length === 3 ? add(outer, "em") : outer, inner, close, depth + 1);
          begun = at = Math.min(to, close + mark.length);
        }
      }
      flush(to);
    }

    // Where the mark is closed: while text arrives, at its end. What nothing closes is looked for only once.
    function closed(mark, from, to, unclosed, find) {
      const close = unclosed.has(mark) ? -1 : find(mark, from, to);
      if (close < 0) unclosed.add(mark);
      return close >= 0 ? close : open && to === joined.length ? to : null;
    }

    function codeEnd(mark, from, to) {
      for (const found of joined.slice(from, to).matchAll(/`+/g)) if (found[0] === mark) return from + found.index;
      return -1;
    }

    function emphasisEnd(mark, from, to) {
      const marks = /\\[!-/:-@[-`{-~]|(`+)(?!`)[^`]*(?<!`)\1(?!`)|\*+|_+/g;
      for (const found of joined.slice(from, to).matchAll(marks)) {
        const [run] = found, at = from + found.index, next = joined[at + run.length] ?? " ";
        if (run[0] !== mark[0] || !(run.length === mark.length || run.length === 3) || !/\S/.test(joined[at - 1]) || at === from) continue;
        if (run[0] === "_" && /[\p{L}\p{N}]/u.test(next)) continue;
        return at + run.length - mark.length;
      }
      return -1;
    }

    spans(into, 0, joined.length, 0);
  }

  blocks(made, lines, 0);
  return made;
}

function add(into, tag, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  into.append(made);
  return made;
}

const columns = space => space.replaceAll("\t", "    ").length;

// Up to where nothing that still arrives can change what is shown: a marker at the end may go on, a first row may head a table.
function decided(source) {
  const rows = /(?:^|\n)((?:[ \t]*\|[^\n]*(?:\n|$))+)$/.exec(source);
  if (rows) {
    const [, delimiters, ...more] = rows[1].split("\n");
    if (!more.length && (!delimiters || /^[|:\- \t]*$/.test(delimiters))) return source.length - rows[1].length;
  }
  const held = /(?:(?<=^|\n)[ \t]*(?:\d{1,9}[.)]?|#{1,6}|>|[-+])[-+ \t]*|\[[^[\]\n]{0,300}(?:\](?:\([^()\s]{0,500}(?:\([^()\s]{0,200}\)?)?)?)?|[*_`~\\]{1,8}[ \t]{0,8})$/.exec(source);
  return held ? held.index : source.length;
}
