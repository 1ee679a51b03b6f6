// What a placement rests on: which constraints bind, what they cost, and how far things may move.
import { h, money, number, short, show } from "./dom.js";

const offers = (other) => other.offers.map((each) => `${each.tasks > 1 ? `${each.tasks} × ` : ""}${each.offer}${each.spot ? " (spot)" : ""}`).join(", ");
const text = (value) => (value === null || value === undefined ? "?" : typeof value === "object" ? JSON.stringify(value) : String(value));

function standing(one, unit) {
  const without = one.without_it ? `without it: ${offers(one.without_it)}, ${number(one.without_it.objective)} ${unit}` : "";
  return h("tr", {}, h("th", { scope: "row" }, short(one.path)), h("td", {}, text(one.asked)), h("td", {}, text(one.got)),
    h("td", {}, one.binding ? h("span", { class: "badge fair" }, "binds") : "", " ", h("span", { class: "muted small" }, without)));
}

export function why(place, told) {
  if (!told) return show(place, h("p", { class: "muted" }, "Asks what would change the choice: it places the intent again and again in worlds that differ in one thing."));
  const own = told.constraints.filter((one) => one.written);
  return show(place,
    told.runner_up ? h("p", {}, "Next best: ", h("strong", {}, offers(told.runner_up)), `, ${number(told.runner_up.objective)} ${told.unit} (${money(told.runner_up.hourly_cost)})`) : h("p", {}, "Nothing else could be chosen."),
    told.prices.map((price) => price.may_rise_to ? h("p", {}, `${price.offer} stays the choice up to ${money(price.may_rise_to)} (now ${money(price.hourly)}).`) : null),
    own.length ? h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Constraints" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Constraint", "asked", "got", ""].map((each) => (each ? h("th", { scope: "col" }, each) : h("td", {}))))), h("tbody", {}, own.map((one) => standing(one, told.unit))))) : null,
    told.unsettled.length ? h("p", { class: "muted small" }, `Not settled in time: ${told.unsettled.join(", ")}`) : null);
}
