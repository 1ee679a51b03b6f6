// What became of the intent, in figures and in a table.
import { grams, h, moment, money, number, percent, plural, ranges, short, show } from "./dom.js";

const WORDS = {
  placed: ["Placed", "good"], rejected: ["Refused", "bad"], queued: ["Waits", "fair"], unknown: ["Not known in time", "fair"],
};
const PROOF = { optimal: "proven best", feasible: "best found in time", infeasible: "proven impossible", unknown: "nothing proven" };

const figure = (name, value) => h("div", { class: "figure" }, h("dt", {}, name), h("dd", {}, value));

function figures(made) {
  return h("dl", { class: "figures" },
    figure("cost", money(made.hourly_cost)),
    made.total_cost ? figure("in total", money(made.total_cost)) : null,
    figure("throughput", `${number(made.performance_tflops)} TFLOPS`),
    figure("latency", made.latency_ms === null ? "?" : `${number(made.latency_ms)} ms`),
    figure("carbon", grams(made.carbon_g_per_hour)),
    figure("availability", percent(made.availability_percent)));
}

const runnerUp = (next) =>
  next && h("p", { class: "runner" }, "Runner-up: ", h("strong", {}, `${next.provider} ${next.region}`), `, ${next.gpu_model ?? "CPU"}${next.spot ? " (spot)" : ""}: `,
    next.more.startsWith("0.00 ") ? "the same price" : `${money(next.more)} ${next.cheaper ? "less" : "more"} for all tasks`);

// When it begins, where that is not at once; of what waits it is an estimate and no promise.
function begins(placement, made) {
  const start = placement.start_time ?? made.start_time;
  if (placement.status === "queued" && !placement.offer) {
    return h("p", { class: "note" }, start ? `Room is expected from ${moment(start)} on, by what is known to end. It is no promise: who waits holds nothing.` : "When there will be room is not known.");
  }
  const first = made.assignments.reduce((least, each) => (each.start_time > least ? least : each.start_time), start);
  return first && made.end_time ? h("p", { class: "muted" }, `Runs from ${moment(first)} to ${moment(made.end_time)}.`) : null;
}

export function waiting(place, text) {
  show(place, h("p", { class: "state" }, h("span", { class: "badge" }, text)));
}

export function verdict(place, told, point) {
  const { placement } = told;
  const made = placement.offer ? placement.offer.placement : placement;
  const [word, tone] = WORDS[placement.status];
  const proof = point ? "one of the compromises" : PROOF[told.plan.status];
  const gap = !point && told.plan.gap ? `, at most ${percent(100 * told.plan.gap)} from the best` : "";
  show(place,
    h("p", { class: "state" }, h("span", { class: `badge ${tone}` }, word), h("span", { class: "muted" }, `${placement.intent} · ${proof}${gap}`), point),
    made.assignments.length ? figures(made) : null,
    begins(placement, made),
    made.assignments.length && !point ? runnerUp(told.runner_up) : null,
    placement.headroom ? h("p", { class: "muted" }, `Room for ${plural(placement.headroom.replicas, "more replica")}; all of them ${money(placement.headroom.hourly_cost)}.`) : null,
    ...placement.relaxed.map((each) => h("p", { class: "note" }, `Given up: ${short(each.path)} ${JSON.stringify(each.asked)}, got ${JSON.stringify(each.got)}`)),
    told.plan.warnings.length && !point
      ? h("details", {}, h("summary", {}, plural(told.plan.warnings.length, "remark")), h("ul", {}, told.plan.warnings.map((each) => h("li", {}, each))))
      : null);
}

// On a narrow screen the result is far below the sliders: its sum stays in sight.
export function strip(place, placement) {
  const [word, tone] = WORDS[placement?.status ?? "rejected"];
  show(place, h("span", { class: `badge ${tone}` }, word), h("span", { class: "muted" }, placement?.intent ?? ""), h("strong", {}, placement?.hourly_cost ? money(placement.hourly_cost) : ""));
}

// Tasks that are alike in all but their number are one row.
function rows(assignments) {
  const alike = new Map();
  for (const each of assignments) {
    const key = JSON.stringify([each.offer, each.node, each.spot, each.mig_profile, each.start_time]);
    const row = alike.get(key) ?? { ...each, tasks: 0, all: new Set(), cost: 0 };
    row.tasks += 1;
    each.gpus.forEach((gpu) => row.all.add(gpu));
    row.cost += parseFloat(each.hourly_cost);
    alike.set(key, row);
  }
  return [...alike.values()];
}

const MOST = 40;

export function table(place, told) {
  const made = told.placement.offer ? told.placement.offer.placement : told.placement;
  const all = rows(made.assignments);
  if (!all.length) return show(place, h("p", { class: "muted" }, "Nothing is placed."));
  const part = (row) => (row.mig_profile ? ` as ${row.mig_profile}` : row.gpu_milli ? `, ${row.gpu_milli / 10} % each` : "");
  const gpus = (row) => (row.all.size ? `${row.all.size} × ${row.gpu_model}${part(row)} [${ranges(row.all)}]` : "none");
  return show(place,
    h("table", {},
      h("thead", {}, h("tr", {}, ["Provider", "Where", "Offer", "Node", "Tasks", "GPUs", "Bought", "Per hour"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, all.slice(0, MOST).map((row) => h("tr", {},
        h("th", { scope: "row" }, row.provider), h("td", {}, row.zone ?? row.region), h("td", { class: "id" }, row.offer), h("td", {}, String(row.node)),
        h("td", {}, String(row.tasks)), h("td", {}, gpus(row)), h("td", {}, row.spot ? "spot" : "on demand"), h("td", { class: "amount" }, `${row.cost.toFixed(row.cost < 0.1 ? 4 : 2)} €`))))),
    all.length > MOST || told.tasks > made.assignments.length ? h("p", { class: "muted" }, `${plural(told.tasks, "task")} in all; the first rows are shown.`) : null);
}
