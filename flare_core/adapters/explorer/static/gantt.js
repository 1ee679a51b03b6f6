// When the tasks of a job run: a line for each node.
import { h, plural, s, show } from "./dom.js";

const LABEL = 136, LINE = 24, MOST = 20;

const moment = (time, long) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", ...(long ? { day: "numeric", month: "short" } : {}) }).format(time);

// As many moments as have room beside each other; the last one ends where the last run ends.
function times(from, last, width, days) {
  const count = Math.max(1, Math.min(3, Math.floor(width / (days ? 106 : 50))));
  return Array.from({ length: count }, (_, k) => from + (count > 1 ? (k * (last - from)) / (count - 1) : 0));
}

export function gantt(card, place, told, deadline) {
  const made = told.placement?.offer ? told.placement.offer.placement : told.placement;
  const rows = (made?.assignments ?? []).filter((each) => each.end_time);
  card.hidden = !rows.length;
  if (!rows.length) return;
  const lines = new Map();
  for (const each of rows) {
    const line = `${each.offer} / ${each.node}`;
    const run = JSON.stringify([Date.parse(each.start_time), Date.parse(each.end_time)]);
    const runs = lines.get(line) ?? new Map();
    runs.set(run, (runs.get(run) ?? 0) + 1);
    lines.set(line, runs);
  }
  const starts = rows.map((each) => Date.parse(each.start_time));
  const ends = rows.map((each) => Date.parse(each.end_time));
  const from = Math.min(...starts);
  const last = Math.max(...ends);
  const limit = deadline ? Date.parse(deadline) : NaN;
  const showLimit = Number.isFinite(limit) && limit > from && limit - from < 4 * (last - from);
  const to = Math.max(last, showLimit ? limit : last) + (last - from) * 0.03;
  const W = Math.max(260, Math.min(500, place.clientWidth));
  const at = (time) => LABEL + ((time - from) / (to - from)) * (W - LABEL);
  const shown = [...lines].slice(0, MOST);
  const height = shown.length * LINE + 26;
  const bars = shown.flatMap(([name, runs], k) => [
    s("text", { class: "tick", x: 0, y: k * LINE + 16 }, s("title", {}, name), name.length > 20 ? `${name.slice(0, 9)}…${name.slice(-9)}` : name),
    ...[...runs].map(([run, count]) => {
      const [start, end] = JSON.parse(run);
      return s("g", { class: "run" }, s("title", {}, `${plural(count, "task")}, ${moment(start, true)} to ${moment(end, true)} UTC`),
        s("rect", { x: at(start), y: k * LINE + 3, width: Math.max(2, at(end) - at(start)), height: LINE - 7, rx: 4 }),
        s("text", { x: at(start) + 6, y: k * LINE + 16 }, plural(count, "task")));
    }),
  ]);
  const days = to - from > 20 * 3600e3;
  const base = shown.length * LINE + 4;
  show(place,
    s("svg", { class: "chart", viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": `From ${moment(from, true)} to ${moment(last, true)} UTC on ${plural(lines.size, "node")}` },
      bars,
      s("path", { class: "axis", d: `M${LABEL},${base}H${W}` }),
      times(from, last, W - LABEL, days).map((time, k, all) => s("text", { class: "tick", x: at(time), y: base + 16, "text-anchor": k === 0 ? "start" : k === all.length - 1 ? "end" : "middle" }, moment(time, days))),
      showLimit ? s("path", { class: "deadline", d: `M${at(limit)},0V${base}` }) : null),
    h("p", { class: "muted small" }, `${moment(from, true)} to ${moment(last, true)} UTC${showLimit ? `, deadline ${moment(limit, true)}` : ""}${lines.size > MOST ? `; ${lines.size - MOST} more nodes` : ""}`));
}
