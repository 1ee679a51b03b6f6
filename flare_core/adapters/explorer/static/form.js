// The intent as a form: the fields that decide where it goes. Everything else stays as the JSON has it.
import { h } from "./dom.js";
import { get, put } from "./intent.js";

const OBJECTIVES = ["Cost_Minimization", "Performance_Maximization", "Latency_Minimization", "Balanced_Optimization", "Energy_Efficiency"];
const is = (...types) => (tree) => types.includes(get(tree, "workload.type"));

const GROUPS = [
  ["Workload", [
    { path: "objective", label: "Objective", choices: OBJECTIVES, wide: true },
    { path: "workload.name", label: "Name", wide: true },
    { path: "workload.type", label: "Type", choices: ["service", "job", "batch"] },
    { path: "workload.scaling.min_replicas", label: "Replicas", kind: "number", hint: "1", when: is("service") },
    { path: "workload.job.parallel_tasks", label: "Tasks", kind: "number", hint: "1", when: is("job", "batch") },
    { path: "workload.job.timeout", label: "Runs for", hint: "1h", when: is("job", "batch") },
    { path: "workload.resources.cpu", label: "CPU cores", hint: "any" },
    { path: "workload.resources.memory", label: "Memory", hint: "any" },
  ]],
  ["GPUs of each task", [
    { path: "workload.resources.gpu.model", label: "Model", hint: "any" },
    { path: "workload.resources.gpu.count", label: "Count", kind: "number", hint: "1" },
    { path: "workload.resources.gpu.memory", label: "Memory of each", hint: "any" },
    { path: "workload.resources.gpu.tier", label: "Tier", choices: ["", "premium", "standard", "inference", "gaming", "budget"] },
    { path: "workload.resources.gpu.interconnect", label: "Interconnect", choices: ["", "nvswitch", "nvlink", "pcie", "infiniband"] },
    { path: "workload.resources.gpu.topology", label: "Topology", choices: ["", "all-to-all", "nvswitch", "ring", "mesh"] },
    { path: "workload.resources.gpu.shared", label: "May share a GPU", kind: "flag" },
    { path: "workload.resources.gpu.multi_instance", label: "MIG instance", kind: "flag" },
  ]],
  ["Limits", [
    { path: "constraints.location", label: "Location", hint: "any" },
    { path: "constraints.providers", label: "Providers", kind: "list", hint: "all" },
    { path: "constraints.max_hourly_cost", label: "Most per hour", hint: "no limit" },
    { path: "constraints.max_total_cost", label: "Most in total", hint: "no limit", when: is("job", "batch") },
    { path: "constraints.max_latency_ms", label: "Latency, ms", kind: "number", hint: "100", also: "constraints.max_network_latency" },
    { path: "constraints.energy.max_carbon_footprint", label: "Carbon", hint: "no limit" },
    { path: "constraints.deadline", label: "Deadline", hint: "none" },
    { path: "sla.availability", label: "Availability", hint: "99%" },
    { path: "constraints.preemptible", label: "Spot allowed", kind: "flag" },
    { path: "constraints.energy.renewable_energy_only", label: "Renewable only", kind: "flag" },
  ]],
];

const idOf = (path) => `f-${path.replaceAll(".", "-")}`;

function control(field) {
  const common = { id: idOf(field.path), name: field.path, "data-kind": field.kind, "aria-describedby": `${idOf(field.path)}-error` };
  if (field.choices) {
    return h("select", common, field.choices.map((each) => h("option", { value: each }, each ? each.replace("_", " ") : "any")));
  }
  if (field.kind === "flag") return h("input", { ...common, type: "checkbox" });
  return h("input", { ...common, type: "text", inputmode: field.kind === "number" ? "decimal" : null, placeholder: field.hint, autocomplete: "off", spellcheck: "false" });
}

function row(field) {
  const label = h("label", { for: idOf(field.path) }, field.label);
  const error = h("p", { id: `${idOf(field.path)}-error`, class: "error" });
  const classes = ["field", field.kind === "flag" ? "flag" : "", field.wide ? "wide" : ""].join(" ").trim();
  return h("div", { class: classes }, field.kind === "flag" ? [control(field), label] : [label, control(field)], error);
}

function read(input, kind) {
  if (kind === "flag") return input.checked ? true : undefined;
  const text = input.value.trim();
  if (text === "") return undefined;
  if (kind === "number" && Number.isFinite(Number(text))) return Number(text);
  if (kind === "list") return text.split(",").map((each) => each.trim()).filter(Boolean);
  return text;
}

const written = (value) => (value === undefined || value === null ? "" : Array.isArray(value) ? value.join(", ") : typeof value === "object" ? "" : String(value));

export class Form {
  constructor(place, changed) {
    this.place = place;
    this.fields = GROUPS.flatMap(([, fields]) => fields);
    place.append(...GROUPS.map(([title, fields]) => h("fieldset", {}, h("legend", {}, title), fields.map(row))));
    place.addEventListener("submit", (event) => event.preventDefault());
    place.addEventListener("input", (event) => {
      const field = this.fields.find((each) => each.path === event.target.name);
      if (field) changed((tree) => this.write(tree, field, read(event.target, field.kind)));
    });
  }

  write(tree, field, value) {
    if (field.also) put(tree, field.also, undefined); // two spellings of one limit must not meet
    put(tree, field.path, value);
  }

  // Shows a document; the field that is being written is left to its writer.
  fill(tree) {
    this.place.toggleAttribute("inert", tree === null);
    if (tree === null) return;
    for (const field of this.fields) {
      const input = this.place.elements.namedItem(field.path);
      input.closest(".field").hidden = Boolean(field.when && !field.when(tree));
      if (input === document.activeElement && field.kind !== "flag") continue;
      const value = get(tree, field.path) ?? (field.also && get(tree, field.also));
      if (field.kind === "flag") input.checked = value === true;
      else input.value = field.choices?.includes("") && value === "any" ? "" : written(value);
    }
  }

  // Marks the fields that are wrong; returns the errors that no field shows.
  mark(errors) {
    const left = [];
    const messages = new Map();
    for (const error of errors) {
      const field = this.fields.find((each) => each.path === error.path || (each.kind === "list" && error.path.startsWith(`${each.path}.`)));
      if (field) messages.set(field.path, error.message);
      else left.push(error);
    }
    for (const field of this.fields) {
      const input = this.place.elements.namedItem(field.path);
      const message = messages.get(field.path);
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      document.getElementById(`${input.id}-error`).textContent = message ?? "";
    }
    return left;
  }

  focus(path) {
    const input = this.place.elements.namedItem(path);
    input?.focus();
    return Boolean(input);
  }
}
