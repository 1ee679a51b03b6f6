// Sliders for what is negotiable: the right end of a limit is no limit at all.
import { h, money, number } from "./dom.js";
import { get, put } from "./intent.js";

const STEPS = 400;
const TERMS = ["cost", "performance", "latency", "carbon"];
const DEFAULTS = { cost: 40, performance: 30, latency: 20, carbon: 10 };

const isTotal = (tree) => get(tree, "workload.type") !== "service" && get(tree, "constraints.max_hourly_cost") === undefined;
const amount = (text) => {
  const found = /^\s*([0-9.]+)\s*(kg)?/.exec(String(text ?? ""));
  return found ? Number(found[1]) * (found[2] ? 1000 : 1) : null;
};

const LIMITS = [
  {
    id: "budget", label: "Budget", low: 0.1, high: 5000,
    path: (tree) => (isTotal(tree) ? "constraints.max_total_cost" : "constraints.max_hourly_cost"),
    write: (value, tree) => (isTotal(tree) ? `${value} EUR` : `${value} EUR/hour`),
    says: (value, tree) => money(isTotal(tree) ? `${number(value)} EUR in total` : `${number(value)} EUR/hour`),
  },
  {
    id: "latency", label: "Latency", low: 1, high: 500, also: "constraints.max_network_latency",
    path: () => "constraints.max_latency_ms", write: (value) => value, says: (value) => `${number(value)} ms`, none: "100 ms (default)",
  },
  {
    id: "carbon", label: "Carbon", low: 1, high: 100000,
    path: () => "constraints.energy.max_carbon_footprint", write: (value) => `${value}g CO2/h`,
    says: (value) => (value >= 1000 ? `${number(value / 1000)} kg CO₂/h` : `${number(value)} g CO₂/h`),
  },
];

const toValue = (limit, step) => Number((limit.low * (limit.high / limit.low) ** (step / STEPS)).toPrecision(3));
const toStep = (limit, value) =>
  Math.max(0, Math.min(STEPS - 1, Math.round((STEPS * Math.log(value / limit.low)) / Math.log(limit.high / limit.low))));

export class Sliders {
  constructor(place, changed, balance) {
    this.tree = null;
    this.weights = { ...DEFAULTS };
    this.limits = LIMITS.map((limit) => {
      const input = h("input", { type: "range", id: `s-${limit.id}`, min: 0, max: STEPS, step: 1 });
      const output = h("output", { for: `s-${limit.id}` });
      input.addEventListener("input", () => changed((tree) => this.write(tree, limit, Number(input.value)), true));
      return { limit, input, output, row: h("div", { class: "slider" }, h("label", { for: `s-${limit.id}` }, limit.label), input, output) };
    });
    this.terms = TERMS.map((term) => {
      const input = h("input", { type: "range", id: `w-${term}`, min: 0, max: 100, step: 1, value: DEFAULTS[term] });
      const output = h("output", { for: `w-${term}` });
      input.addEventListener("input", () => {
        this.weights[term] = Number(input.value);
        this.tell();
        changed(() => {}, true);
      });
      return { term, input, output, row: h("div", { class: "slider" }, h("label", { for: `w-${term}` }, term), input, output) };
    });
    this.balance = h("button", { type: "button", class: "quiet", onclick: balance }, "Weigh the terms");
    this.about = h("p", { class: "muted" }, "They count for the objective Balanced Optimization.");
    this.box = h("fieldset", { class: "weights" }, h("legend", {}, "Weights"), this.terms.map((each) => each.row));
    place.append(h("div", { class: "limits" }, this.limits.map((each) => each.row)), this.box, h("div", { class: "head" }, this.about, this.balance));
  }

  write(tree, limit, step) {
    if (limit.also) put(tree, limit.also, undefined);
    put(tree, limit.path(tree), step >= STEPS ? undefined : limit.write(toValue(limit, step), tree));
  }

  fill(tree) {
    this.tree = tree ?? this.tree;
    const balanced = this.tree && get(this.tree, "objective") === "Balanced_Optimization";
    this.box.disabled = !balanced;
    this.balance.hidden = this.about.hidden = Boolean(balanced);
    for (const { limit, input, output } of this.limits) {
      const value = this.tree && amount(get(this.tree, limit.path(this.tree)) ?? (limit.also && get(this.tree, limit.also)));
      if (input !== document.activeElement || value === null) input.value = value ? toStep(limit, value) : STEPS;
      const text = value ? limit.says(value, this.tree) : limit.none ?? "no limit";
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
    }
    this.tell();
  }

  tell() {
    const sum = TERMS.reduce((total, term) => total + this.weights[term], 0);
    for (const { term, input, output } of this.terms) {
      output.textContent = sum ? `${Math.round((100 * this.weights[term]) / sum)} %` : "–";
      input.setAttribute("aria-valuetext", output.textContent);
    }
  }

  // What the engine takes: none where they do not count, so that the defaults hold.
  given() {
    const sum = TERMS.reduce((total, term) => total + this.weights[term], 0);
    return this.box.disabled || !sum ? null : { ...this.weights };
  }
}
