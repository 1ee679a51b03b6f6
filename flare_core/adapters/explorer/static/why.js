// What a placement rests on: which constraints bind, what they cost, and how far things may move.
import { h, money, number, short, show } from "./dom.js";

const signed = (text) => (text.startsWith("-") ? money(text).replace("-", "−") : `+${money(text)}`);
const offers = (other) => other.offers.map((each) => `${each.tasks > 1 ? `${each.tasks} × ` : ""}${each.offer}${each.spot ? " (spot)" : ""}`).join(", ");
// Figures of other placements are differences to the chosen one.
const differs = (other, unit) => {
  const more = other.objective;
  return more === null || more === undefined ? "" : `${more > 0 ? "+" : more < 0 ? "−" : "±"}${number(Math.abs(more))} ${unit}`.trim();
};
const text = (value) => (value === null || value === undefined ? "?" : typeof value === "object" ? JSON.stringify(value) : String(value));

function standing(one, unit) {
  const got = one.got === null || one.got === undefined ? "" : `, got ${text(one.got)}`;
  return h("li", { class: "standing" },
    h("p", {}, h("strong", {}, short(one.path)), ` ${text(one.asked)}`, h("span", { class: "muted" }, got), one.binding ? h("span", { class: "badge fair" }, "binds") : null),
    one.without_it ? h("p", { class: "muted small" }, `without it: ${offers(one.without_it)}, ${differs(one.without_it, unit)}`) : null);
}

export function why(place, told) {
  if (!told) return show(place, h("p", { class: "muted" }, "Asks what would change the choice: it places the intent again and again in worlds that differ in one thing."));
  const own = told.constraints.filter((one) => one.written);
  return show(place,
    told.runner_up ? h("p", {}, "Next best: ", h("strong", {}, offers(told.runner_up)), `, ${differs(told.runner_up, told.unit)}, ${signed(told.runner_up.hourly_cost)}`) : h("p", {}, "Nothing else could be chosen."),
    told.prices.map((price) => price.may_rise_to ? h("p", {}, `${price.offer} stays the choice up to ${money(price.may_rise_to)} (now ${money(price.hourly)}).`) : null),
    own.length ? h("ul", { class: "standings" }, own.map((one) => standing(one, told.unit))) : null,
    told.unsettled.length ? h("p", { class: "muted small" }, `Not settled in time: ${told.unsettled.join(", ")}`) : null);
}
