// How many offers each constraint removed, in the order in which they are applied.
import { h, plural, s, short, show } from "./dom.js";

const bar = (left, removed, offers) =>
  s("svg", { class: "bar-of", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "rest", x: 0, y: 0, width: 100, height: 6 }),
    s("rect", { class: "gone", x: 0, y: 0, width: (100 * (left + removed)) / offers, height: 6 }),
    s("rect", { class: "left", x: 0, y: 0, width: (100 * left) / offers, height: 6 }));

export function funnel(place, told, goto) {
  let left = told.offers;
  const steps = told.steps.filter((step) => step.first).map((step) => {
    left -= step.first;
    const name = short(step.path || step.rule);
    const title = step.path
      ? h("button", { type: "button", class: "link", "data-keep": `funnel-${step.path}`, onclick: () => goto(step.path) }, name)
      : h("span", {}, name);
    return h("li", {},
      h("div", { class: "step" }, h("span", {}, title, " ", h("span", { class: "muted" }, step.asked)), h("span", { class: "amount" }, `−${step.first}`)),
      bar(left, step.first, told.offers),
      h("p", { class: "muted small" }, `${plural(left, "offer")} left${step.only ? ` · ${step.only} fail nothing else` : ""}`));
  });
  const silent = told.steps.length - steps.length + told.idle;
  show(place,
    h("ol", { class: "funnel" },
      h("li", {}, h("div", { class: "step" }, h("span", {}, "All offers"), h("span", { class: "amount" }, String(told.offers))), bar(told.offers, 0, told.offers)),
      steps),
    h("p", { class: "outcome" }, h("strong", {}, plural(told.fit, "offer")), ` of ${told.offers} fit.`, silent ? h("span", { class: "muted" }, ` ${plural(silent, "further rule")} removed none.`) : null));
}
