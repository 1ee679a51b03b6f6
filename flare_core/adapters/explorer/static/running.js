// The user's intents at the gateway, and what they cost.
import { h, money, plural, show } from "./dom.js";

export function running(place, page) {
  if (!page) return show(place, h("p", { class: "muted" }, "The list needs intents:read."));
  if (!page.intents.length) return show(place, h("p", { class: "muted" }, "You have none."));
  const live = page.intents.filter((each) => each.status === "running" || each.status === "pending");
  const sum = live.reduce((total, each) => total + (parseFloat(each.costs.hourly_rate) || 0), 0);
  return show(place,
    h("p", {}, h("strong", {}, `${plural(live.length, "live intent")}`), `, ${sum.toFixed(2)} €/h together${page.next_cursor ? " on the newest page" : ""}`),
    h("table", {},
      h("thead", {}, h("tr", {}, ["Name", "Status", "Where", "GPUs", "Per hour", "So far"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, page.intents.map((each) => h("tr", {},
        h("th", { scope: "row" }, each.workload.name),
        h("td", {}, h("span", { class: `badge ${each.status === "running" ? "good" : each.status === "failed" ? "bad" : ""}` }, each.state)),
        h("td", {}, [each.resources.provider, each.resources.location].filter(Boolean).join(" ") || "–"),
        h("td", {}, each.resources.gpu ? `${each.resources.gpu.count} × ${each.resources.gpu.model}` : "–"),
        h("td", { class: "amount" }, money(each.costs.hourly_rate ?? "–")),
        h("td", { class: "amount" }, money(each.costs.total_cost)))))));
}
