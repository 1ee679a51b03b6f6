// The map: where the offers are, which of them fit, and where the placement goes.
import { plural, s } from "./dom.js";
import { BORDERS, LAND } from "./world.js";

const WORLD = { x: 0, y: 0, w: 1000, h: 430 };

// The Natural Earth projection, as its polynomials were published (Šavrič et al. 2011), 180 units a radian.
export function project(lat, lon) {
  const l = (lon * Math.PI) / 180;
  const p = (lat * Math.PI) / 180;
  const p2 = p * p;
  const p4 = p2 * p2;
  const x = l * (0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4)));
  const y = p * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4)));
  return [500 + 180 * x, 250 - 180 * y];
}

const keyOf = (each) => `${each.provider}/${each.region}`;

export class WorldMap {
  constructor(svg, note, fit, world) {
    this.svg = svg;
    this.note = note;
    this.marks = s("g");
    this.whole = false;
    svg.append(s("path", { class: "land", d: LAND }), s("path", { class: "borders", d: BORDERS }), this.marks);
    const choose = (whole) => {
      this.whole = whole;
      fit.setAttribute("aria-pressed", String(!whole));
      world.setAttribute("aria-pressed", String(whole));
      this.draw();
    };
    fit.addEventListener("click", () => choose(false));
    world.addEventListener("click", () => choose(true));
    new ResizeObserver(() => this.draw()).observe(svg);
  }

  // `used`: how many tasks are in each place; `next`: the runner-up, if any.
  show(places, used, next) {
    const spots = new Map();
    for (const place of places) {
      if (place.lat === null) continue;
      const [x, y] = project(place.lat, place.lon);
      const key = `${Math.round(x)},${Math.round(y)}`;
      const spot = spots.get(key) ?? { x, y, offers: 0, fit: 0, tasks: 0, next: false, names: [] };
      spot.offers += place.offers;
      spot.fit += place.fit;
      spot.tasks += used.get(keyOf(place)) ?? 0;
      spot.next ||= Boolean(next && keyOf(next) === keyOf(place));
      if (used.has(keyOf(place))) spot.title ??= `${place.provider} · ${place.region}`;
      spot.names.push(`${place.provider} ${place.region}${place.rough ? ` (somewhere in ${place.country})` : ""}: ${place.fit} of ${plural(place.offers, "offer")} fit`);
      spots.set(key, spot);
    }
    const rank = (spot) => (spot.tasks ? 3 : spot.next ? 2 : spot.fit ? 1 : 0);
    this.spots = [...spots.values()].sort((a, b) => rank(a) - rank(b));
    this.label(places, used, next);
    this.draw();
  }

  label(places, used, next) {
    const chosen = places.filter((place) => used.has(keyOf(place))).map((place) => `${place.provider} ${place.region}, ${place.country}`);
    const fit = places.filter((place) => place.fit).length;
    const parts = [
      chosen.length ? `Chosen: ${chosen.join("; ")}.` : "Nothing is placed.",
      next ? `Runner-up: ${next.provider} ${next.region}.` : "",
      `${fit} of ${plural(places.length, "region")} have offers that fit.`,
    ];
    const rough = places.filter((place) => place.rough && place.lat !== null).length;
    const lost = places.filter((place) => place.lat === null).length;
    this.note.textContent = [
      rough ? `Of ${plural(rough, "region")} only the country is known: drawn at its capital.` : "",
      lost ? `Where ${plural(lost, "region")} lie${lost === 1 ? "s" : ""} is not known.` : "",
    ].join(" ").trim();
    this.svg.setAttribute("aria-label", `Map. ${parts.filter(Boolean).join(" ")}`);
  }

  // The part of the map that is shown, in the proportions of the picture.
  view() {
    const ratio = (this.svg.clientWidth || 1000) / (this.svg.clientHeight || 430);
    const fitting = this.spots.filter((spot) => spot.tasks || spot.next || spot.fit);
    const shown = fitting.length ? fitting : this.spots;
    if (this.whole || !shown.length) return WORLD;
    const xs = shown.map((spot) => spot.x);
    const ys = shown.map((spot) => spot.y);
    const w = Math.max(170, (Math.max(...xs) - Math.min(...xs)) * 1.3, (Math.max(...ys) - Math.min(...ys)) * 1.5 * ratio);
    if (w >= WORLD.w) return WORLD;
    const height = w / ratio;
    const clamp = (value, most) => Math.max(0, Math.min(Math.max(0, most), value));
    const x = clamp((Math.min(...xs) + Math.max(...xs) - w) / 2, WORLD.w - w);
    const y = clamp((Math.min(...ys) + Math.max(...ys) - height) / 2, WORLD.h - height);
    return { x, y, w, h: height };
  }

  draw() {
    if (!this.spots) return;
    const view = this.view();
    this.svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
    const unit = view.w / Math.max(320, this.svg.clientWidth || 640); // of one pixel
    const size = (spot) => unit * (spot.tasks ? 8 : spot.fit || spot.next ? 6 : 4);
    const dots = this.spots.map((spot) => {
      const kind = spot.tasks ? "chosen" : spot.next ? "next" : spot.fit ? "fit" : "out";
      const at = { cx: spot.x, cy: spot.y };
      return s("g", { class: `spot ${kind}` },
        s("title", {}, `${spot.tasks ? `${plural(spot.tasks, "task")} here\n` : ""}${spot.names.join("\n")}`),
        spot.tasks ? s("circle", { ...at, r: 2 * size(spot), class: "halo" }) : null,
        s("circle", { ...at, r: size(spot) }));
    });
    const labels = this.spots.filter((spot) => spot.tasks).map((spot) => {
      const needed = (24 + 8 * spot.title.length) * unit;
      const right = spot.x + needed < view.x + view.w;
      const left = !right && spot.x - needed > view.x;
      const beside = { x: spot.x + (left ? -20 : 20) * unit, y: spot.y + 5 * unit, "text-anchor": left ? "end" : "start" };
      const at = right || left ? beside : { x: view.x + view.w / 2, y: spot.y + 32 * unit, "text-anchor": "middle" };
      return s("text", { ...at, "font-size": 13 * unit, class: "place" }, spot.title);
    });
    this.marks.replaceChildren(...dots, ...labels);
  }
}
