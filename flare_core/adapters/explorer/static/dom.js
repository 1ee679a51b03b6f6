// Building elements, and writing numbers. Text only ever goes in as text: names come from other people.
const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const $ = (id) => document.getElementById(id);
export const h = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

// A part of the page is drawn anew without taking the focus from whoever is in it.
export function show(place, ...children) {
  const held = place.contains(document.activeElement) ? document.activeElement.dataset.keep : null;
  place.replaceChildren(...children.flat().filter(Boolean));
  if (held) place.querySelector(`[data-keep="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
}

export function number(value, digits = 4) {
  if (value === null || value === undefined) return "?";
  return new Intl.NumberFormat("en", { maximumSignificantDigits: digits }).format(value);
}

export const grams = (value) =>
  value === null || value === undefined ? "?" : value >= 1000 ? `${number(value / 1000, 3)} kg/h` : `${number(value, 3)} g/h`;

export const money = (text) => (text ?? "?").replace(" EUR/hour", " €/h").replace(" EUR", " €");
export const percent = (value) => (value === null || value === undefined ? "?" : `${number(value, 6)} %`);
export const plural = (count, word) => `${new Intl.NumberFormat("en").format(count)} ${word}${count === 1 ? "" : "s"}`;
export const short = (path) => path.replace(/^(workload\.resources\.|workload\.|constraints\.)/, "");

// 0-3, 5 for 0, 1, 2, 3, 5.
export function ranges(numbers) {
  const spans = [];
  for (const each of [...numbers].sort((a, b) => a - b)) {
    const last = spans.at(-1);
    if (last && last[1] === each - 1) last[1] = each;
    else spans.push([each, each]);
  }
  return spans.map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`)).join(", ");
}

const DAY_AND_HOUR = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
export const moment = (text) => `${DAY_AND_HOUR.format(Date.parse(text))} UTC`;
