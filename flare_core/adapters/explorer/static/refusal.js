// Why nothing is placed, and what would do: each suggestion was solved for, and can be applied.
import { h, money, short, show } from "./dom.js";

const impact = (one) => [
  one.hourly_cost && money(one.hourly_cost), one.cost_difference && `cost ${one.cost_difference}`, one.performance_impact && `throughput ${one.performance_impact}`,
].filter(Boolean).join(" · ");

const changes = (one) => one.changes?.map((each) => `${short(each.path)}: ${JSON.stringify(each.needed)}`).join(", ");

function option(text, about, patch, apply, keep) {
  return h("li", {}, h("div", {}, h("p", {}, text), about ? h("p", { class: "muted small" }, about) : null),
    patch ? h("button", { type: "button", "data-keep": keep, "aria-label": `Apply: ${text}`, onclick: () => apply(patch) }, "Apply") : null);
}

export function refusal(place, error, apply, goto) {
  if (!error) return show(place);
  const seen = new Set();
  const fresh = (one) => { const key = JSON.stringify(one.patch); return !seen.has(key) && seen.add(key); };
  const suggestions = error.suggestions.filter(fresh).map((one, k) => option(one.alternative, [impact(one), changes(one)].filter(Boolean).join(" — "), one.patch, apply, `apply-${k}`));
  const corrections = error.corrections.filter(fresh).map((one, k) => option(one.text, null, one.patch, apply, `correct-${k}`));
  show(place,
    h("p", { class: "reason" }, h("code", {}, error.error_code), " ", error.message),
    error.conflicts.length ? h("div", {}, h("h3", {}, "What clashes"), h("ul", { class: "conflicts" }, error.conflicts.map((paths) =>
      h("li", {}, paths.map((path) => h("button", { type: "button", class: "chip", "data-keep": `conflict-${path}`, onclick: () => goto(path) }, short(path))))))) : null,
    suggestions.length ? h("div", {}, h("h3", {}, "What would do"), h("ul", { class: "options" }, suggestions)) : null,
    corrections.length ? h("div", {}, h("h3", {}, "Smallest corrections"), h("ul", { class: "options" }, corrections)) : null);
}
