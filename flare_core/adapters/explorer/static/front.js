// The Pareto front: every compromise that nothing beats. A point shows its placement.
import { h, number, plural, s, show } from "./dom.js";

const H = 250, LEFT = 68, RIGHT = 14, TOP = 14, BOTTOM = 44;

function scale(values, low, high) {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const margin = (most - least) * 0.08 || Math.abs(most) * 0.1 || 1;
  const from = Math.max(0, least - margin);
  const to = most + margin;
  const at = (value) => low + ((value - from) / (to - from)) * (high - low);
  return { at, ticks: [0, 1, 2, 3].map((k) => from + ((k + 0.5) * (to - from)) / 4) };
}

function axes(W, x, y, names) {
  return [
    s("path", { class: "axis", d: `M${LEFT},${TOP}V${H - BOTTOM}H${W - RIGHT}` }),
    x.ticks.map((tick) => s("text", { class: "tick", x: x.at(tick), y: H - BOTTOM + 16, "text-anchor": "middle" }, number(tick, 3))),
    y.ticks.map((tick) => [
      s("path", { class: "grid", d: `M${LEFT},${y.at(tick)}H${W - RIGHT}` }),
      s("text", { class: "tick", x: LEFT - 6, y: y.at(tick) + 4, "text-anchor": "end" }, number(tick, 3)),
    ]),
    s("text", { class: "axis-name", x: (LEFT + W - RIGHT) / 2, y: H - 6, "text-anchor": "middle" }, names[0]),
    s("text", { class: "axis-name", x: -(TOP + H - BOTTOM) / 2, y: 13, transform: "rotate(-90)", "text-anchor": "middle" }, names[1]),
  ].flat(2);
}

function steps(points, x, y, [a, b]) {
  return points.map((point, k) => {
    const at = [x.at(point.terms[a]), y.at(point.terms[b])];
    return k ? `H${at[0]}V${at[1]}` : `M${at[0]},${at[1]}`;
  }).join("");
}

export function front(place, told, chosen, choose) {
  if (!told) return show(place, h("p", { class: "muted" }, "Looking for compromises …"));
  if (!told.points.length) return show(place, h("p", { class: "muted" }, "There is none: nothing can be placed."));
  const names = told.terms.map((term) => `${term}, ${told.units[term]}`);
  const [a, b] = told.terms;
  const W = Math.max(260, Math.min(500, place.clientWidth)); // so that its text has the size of the page's
  const x = scale(told.points.map((point) => point.terms[a]), LEFT, W - RIGHT);
  const y = scale(told.points.map((point) => point.terms[b]), H - BOTTOM, TOP);
  const title = (point, k) => `Compromise ${k + 1} of ${told.points.length}: ${told.terms.map((term) => `${term} ${number(point.terms[term])} ${told.units[term]}`).join(", ")}`;
  const press = (k) => (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(chosen === k ? null : k);
  };
  const dots = told.points.map((point, k) =>
    s("g", { class: "point", role: "button", tabindex: 0, "aria-pressed": String(chosen === k), "aria-label": title(point, k), "data-keep": `point-${k}`, onclick: press(k), onkeydown: press(k) },
      s("title", {}, title(point, k)),
      s("circle", { class: "target", cx: x.at(point.terms[a]), cy: y.at(point.terms[b]), r: 13 }),
      s("circle", { class: "mark", cx: x.at(point.terms[a]), cy: y.at(point.terms[b]), r: chosen === k ? 8 : 6 })));
  return show(place,
    s("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": `${names.join(" against ")}: ${plural(told.points.length, "compromise")}` },
      axes(W, x, y, names), s("path", { class: "stairs", d: steps(told.points, x, y, told.terms) }), dots),
    h("p", { class: "muted small" }, `${plural(told.points.length, "compromise")}${told.complete ? ", proven to be all" : "; there may be more"}. Choose one to see its placement.`));
}
