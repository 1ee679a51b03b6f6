// The page: one document, edited in three ways, and what the engine says about it.
import { Lane, Refused, about, intents, useToken } from "./ask.js";
import { $, h, plural, show } from "./dom.js";
import { Form } from "./form.js";
import { front } from "./front.js";
import { funnel } from "./funnel.js";
import { gantt } from "./gantt.js";
import { gpus } from "./gpus.js";
import { format, get, inside, lineOf, locate, merge, parse, put, syntaxPlace } from "./intent.js";
import { WorldMap } from "./map.js";
import { refusal } from "./refusal.js";
import { running } from "./running.js";
import { Sliders } from "./sliders.js";
import { strip, table, verdict, waiting } from "./verdict.js";
import { why } from "./why.js";

const REST_MS = 300; // after which what takes longer is asked
const TYPED_MS = 150;
const PAUSE_MS = 110; // a gateway takes some ten questions a second of one token

const state = { told: null, front: null, point: null, why: null, edit: 0, moved: null, ready: false };
const lanes = { plan: new Lane(), front: new Lane(), why: new Lane() };
const text = $("text");
let rest = 0;
let typed = 0;

const form = new Form($("form"), (change) => changed(change, false));
const sliders = new Sliders($("sliders"), changed, () => changed((tree) => put(tree, "objective", "Balanced_Optimization"), true));
const map = new WorldMap($("map"), $("map-note"), $("zoom-fit"), $("zoom-world"));

// --- editing --------------------------------------------------------------------------------------

function changed(change, live) {
  const tree = parse(text.value);
  if (!tree) return;
  change(tree);
  text.value = format(tree);
  edited(tree, live);
}

function edited(tree, live) {
  state.edit += 1;
  state.moved = live ? performance.now() : null;
  form.fill(tree);
  sliders.fill(tree);
  gutter([]);
  clearTimeout(typed);
  if (live) plan("quick");
  else typed = setTimeout(() => plan("quick"), TYPED_MS);
}

function load(intent, now) {
  text.value = format(intent);
  $("now").value = now ?? "";
  text.scrollTop = 0;
  edited(parse(text.value), true);
}

function gutter(wrong) {
  const lines = text.value.split("\n").length;
  $("gutter").replaceChildren(...Array.from({ length: lines }, (_, k) => h("span", { class: wrong.includes(k + 1) ? "wrong" : null }, `${k + 1}\n`)));
  $("gutter").scrollTop = text.scrollTop;
}

function goto(path) {
  if (form.focus(path)) return;
  select(locate(text.value, path));
}

function select([start, end]) {
  text.focus();
  text.setSelectionRange(start, end);
  const line = lineOf(text.value, start);
  text.scrollTop = Math.max(0, (line - 4) * (text.scrollHeight / text.value.split("\n").length));
}

// --- asking ---------------------------------------------------------------------------------------

const question = (ask, more) => ({ intent: text.value, ask, now: $("now").value.trim() || null, weights: sliders.given(), ...more });

function plan(ask) {
  if (!state.ready) return;
  clearTimeout(rest);
  lanes.front.drop();
  lanes.why.drop();
  const { moved } = state;
  lanes.plan.ask(() => question(ask), (told, failure) => {
    if (failure) return failed(failure);
    state.front = state.point = state.why = null;
    if (told.errors.length) return wrong(told.errors);
    right();
    state.told = told.refused ? { ...told, placement: null } : told;
    draw();
    if (moved !== null) measured(moved);
    rest = setTimeout(() => settle(ask, told), REST_MS);
  });
}

// From the move to the picture on the screen: the second frame begins when the first has been drawn.
function measured(moved) {
  requestAnimationFrame(() => requestAnimationFrame(() => performance.measure("replan", { start: moved, end: performance.now() })));
}

function settle(asked, told) {
  if (asked === "quick" && told.open) {
    plan("plan");
    return;
  }
  const { edit } = state;
  lanes.front.ask(() => question("front", { terms: ["cost", $("against").value] }), (found, failure) => {
    if (edit !== state.edit) return;
    if (failure) return show($("front"), h("p", { class: "error" }, failure.message));
    state.front = found.errors.length ? null : found;
    drawFront();
  });
}

function explain() {
  const { edit } = state;
  waiting($("why"), "Asking …");
  lanes.why.ask(() => question("why"), (found, failure) => {
    if (edit !== state.edit) return;
    if (failure) return show($("why"), h("p", { class: "error" }, failure.message));
    state.why = found.errors.length ? null : found;
    why($("why"), state.why);
  });
}

function failed(error) {
  if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
    $("login").hidden = false;
    $("login-error").textContent = error.message;
    $("token").focus();
    return;
  }
  show($("verdict"), h("p", { class: "state" }, h("span", { class: "badge bad" }, "No answer"), h("span", { class: "muted" }, error.message)));
}

// --- what is wrong ----------------------------------------------------------------------------------

function wrong(errors) {
  const place = (error) => (parse(text.value) ? locate(text.value, error.path) : syntaxPlace(text.value, error.message));
  const own = errors.filter((error) => error.path === "now");
  $("now").toggleAttribute("aria-invalid", own.length > 0);
  $("now-error").textContent = own.map((error) => error.message).join(" ");
  const others = errors.filter((error) => error.path !== "now");
  form.mark(others);
  const lines = others.map((error) => lineOf(text.value, place(error)[0]));
  gutter(lines);
  show($("errors"), others.map((error, k) => h("li", {},
    h("button", { type: "button", class: "link", onclick: () => select(place(error)) }, `line ${lines[k]}`), ` ${error.path ? `${error.path}: ` : ""}${error.message}`)));
  waiting($("verdict"), errors.length === 1 ? "One thing is wrong" : `${errors.length} things are wrong`);
  show($("refusal"));
  $("result").classList.add("stale");
}

function right() {
  $("now").removeAttribute("aria-invalid");
  $("now-error").textContent = "";
  form.mark([]);
  gutter([]);
  show($("errors"));
  $("result").classList.remove("stale");
}

// --- drawing --------------------------------------------------------------------------------------

function used(placement) {
  const made = placement?.offer ? placement.offer.placement : placement;
  const tasks = new Map();
  for (const each of made?.assignments ?? []) {
    const key = `${each.provider}/${each.region}`;
    tasks.set(key, (tasks.get(key) ?? 0) + 1);
  }
  return tasks;
}

function draw() {
  const { told } = state;
  const point = state.point === null ? null : state.front.points[state.point];
  const shown = point ?? told;
  const tree = parse(text.value);
  $("stock").textContent = plural(told.funnel.offers, "offer");
  if (shown.placement) {
    const back = point && h("button", { type: "button", class: "quiet", onclick: () => choose(null) }, "Back to the plan");
    verdict($("verdict"), shown, back);
    table($("table"), shown);
    gpus($("gpus"), shown);
  } else {
    show($("verdict"), h("p", { class: "state" }, h("span", { class: "badge bad" }, "Refused"), h("span", { class: "muted" }, "asking why …")));
    show($("table"), h("p", { class: "muted" }, "Nothing is placed."));
    show($("gpus"), h("p", { class: "muted" }, "No GPUs are used."));
  }
  strip($("strip"), shown.placement);
  refusal($("refusal"), point ? null : told.placement?.error, apply, goto);
  gantt($("gantt-card"), $("gantt"), shown, tree && get(tree, "constraints.deadline"));
  map.show(told.places, used(shown.placement), point ? null : told.runner_up);
  funnel($("funnel"), told.funnel, goto);
  drawFront();
  why($("why"), state.why);
}

function drawFront() {
  front($("front"), state.front, state.point, choose);
}

function choose(k) {
  state.point = k;
  draw();
}

function apply(patch) {
  changed((tree) => {
    const result = merge(inside(tree), patch);
    const target = inside(tree);
    for (const name of Object.keys(target)) delete target[name];
    Object.assign(target, result);
  }, true);
  $("result").focus({ preventScroll: true });
}

// --- the gateway ----------------------------------------------------------------------------------

async function list() {
  running($("running"), await intents().catch(() => null));
}

function login() {
  $("login").hidden = false;
  $("login").addEventListener("submit", (event) => {
    event.preventDefault();
    useToken($("token").value.trim());
    $("token").value = "";
    $("login").hidden = true;
    $("login-error").textContent = "";
    $("running-card").hidden = false;
    state.ready = true;
    plan("quick");
    list();
  });
  $("refresh").addEventListener("click", list);
}

// --- the beginning --------------------------------------------------------------------------------

function themed() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = $("theme");
  const now = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  const tell = () => {
    button.setAttribute("aria-pressed", String(now() === "dark"));
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = now() === "dark" ? "light" : "dark";
    tell();
  });
  dark.addEventListener("change", tell);
  tell();
}

async function begin() {
  themed();
  why($("why"), null);
  waiting($("verdict"), "Ready");
  front($("front"), null, null, choose);
  text.addEventListener("input", () => {
    $("example").value = "";
    edited(parse(text.value), false);
  });
  text.addEventListener("scroll", () => { $("gutter").scrollTop = text.scrollTop; });
  $("now").addEventListener("input", () => edited(parse(text.value), false));
  $("explain").addEventListener("click", explain);
  $("against").addEventListener("change", () => { state.front = state.point = null; draw(); settle("plan"); });
  const { gateway, examples } = await about();
  $("example").append(h("option", { value: "" }, "your own"), ...examples.map((each, k) => h("option", { value: String(k) }, each.title)));
  $("example").addEventListener("change", (event) => {
    const chosen = examples[event.target.value];
    if (chosen) load(chosen.intent, chosen.now);
  });
  state.ready = !gateway;
  if (gateway) {
    for (const lane of Object.values(lanes)) lane.pause = PAUSE_MS;
    login();
  }
  $("example").value = "0";
  load(examples[0].intent, examples[0].now);
}

begin();
