// The GPUs of the chosen nodes: how they are linked, which are taken, and how they are cut.
import { h, number, plural, s, show } from "./dom.js";

const SIZE = 240, MIDDLE = SIZE / 2, RING = 88, BOX = 30;
const WIDTH = { nvswitch: 3, nvlink: 2.4, pcie: 1.2 };

function spots(count, joined) {
  if (joined && count <= 12) {
    return Array.from({ length: count }, (_, k) => {
      const angle = (2 * Math.PI * k) / count - Math.PI / 2;
      return [MIDDLE + RING * Math.cos(angle), MIDDLE + RING * Math.sin(angle)];
    });
  }
  const columns = count <= 8 ? Math.min(4, count) : 6;
  const gap = SIZE / columns;
  const line = BOX + 12;
  return Array.from({ length: count }, (_, k) => [gap / 2 + (k % columns) * gap, line / 2 + Math.floor(k / columns) * line]);
}

function links(node, at) {
  if (node.switch) {
    return [
      at.map(([x, y]) => s("path", { class: "link-line nvswitch", d: `M${MIDDLE},${MIDDLE}L${x},${y}`, "stroke-width": WIDTH.nvswitch })),
      s("rect", { class: "switch", x: MIDDLE - 34, y: MIDDLE - 13, width: 68, height: 26, rx: 6 }),
      s("text", { class: "switch-name", x: MIDDLE, y: MIDDLE + 4, "text-anchor": "middle" }, "NVSwitch"),
    ].flat();
  }
  return node.links.map((link) => s("path", { class: `link-line ${link.kind}`, d: `M${at[link.a]}L${at[link.b]}`, "stroke-width": WIDTH[link.kind] ?? 1 }));
}

function graph(node) {
  const joined = node.gpus > 1 && (node.switch || node.links.length > 0);
  const at = spots(node.gpus, joined);
  const height = Math.max(...at.map(([, y]) => y)) + MIDDLE - RING;
  const chosen = new Map(node.chosen.map((each) => [each.gpu, each.tasks]));
  const free = new Set(node.free);
  const boxes = at.map(([x, y], gpu) => {
    const tasks = chosen.get(gpu);
    const kind = tasks ? "own" : free.has(gpu) ? "free" : "used";
    const says = tasks ? `GPU ${gpu}: task ${tasks.join(", ")}` : `GPU ${gpu}: ${kind === "free" ? "free" : "in use"}`;
    return s("g", { class: `gpu ${kind}` }, s("title", {}, says),
      s("rect", { x: x - BOX / 2, y: y - BOX / 2, width: BOX, height: BOX, rx: 6 }),
      s("text", { x, y: y + 5, "text-anchor": "middle" }, String(gpu)));
  });
  const chips = [...chosen].map(([gpu, tasks]) => `${gpu} (task ${tasks.join(", ")})`).join("; ");
  return s("svg", { class: "node", viewBox: `0 0 ${SIZE} ${height}`, role: "img", "aria-label": `Chosen GPUs: ${chips}. ${linkWords(node)}` }, links(node, at), boxes);
}

function linkWords(node) {
  if (node.gpus === 1) return "A single GPU.";
  if (node.switch) return "All are joined by one NVSwitch.";
  if (!node.links.length) return node.interconnect ? `Joined over ${node.interconnect}; no links between them are stated.` : "How they are linked is not known.";
  const best = node.links.reduce((most, link) => Math.max(most, link.gbytes), 0);
  return `${plural(node.links.length, "link")}, up to ${number(best, 3)} GB/s each way.`;
}

function parts(node) {
  if (!node.parts) return null;
  const { slices, what, gpus } = node.parts;
  const word = what === "mig" ? "memory slices" : "slots";
  return h("div", { class: "parts" }, gpus.map(({ gpu, taken }) => {
    const says = taken.map((each) => `${each.label}${each.own ? " (this plan)" : ""} from ${each.start}, ${each.size} long`).join("; ");
    const width = 100 / slices;
    return h("div", { class: "part" }, h("span", { class: "small" }, `GPU ${gpu}`),
      s("svg", { viewBox: "0 0 100 14", preserveAspectRatio: "none", role: "img", "aria-label": `GPU ${gpu}, ${slices} ${word}: ${says}` },
        Array.from({ length: slices }, (_, k) => s("rect", { class: "slot", x: k * width + 0.4, y: 0.5, width: width - 0.8, height: 13, rx: 1 })),
        taken.map((each) => s("g", {}, s("title", {}, each.label),
          s("rect", { class: each.own ? "slot own" : "slot used", x: each.start * width + 0.4, y: 0.5, width: each.size * width - 0.8, height: 13, rx: 1 })))),
      h("span", { class: "muted small" }, taken.filter((each) => each.own).map((each) => each.label).join(", ")));
  }), h("p", { class: "muted small" }, `${slices} ${word} a GPU`));
}

export function gpus(place, told) {
  if (!told.nodes.length) return show(place, h("p", { class: "muted" }, "No GPUs are used."));
  show(place,
    h("div", { class: "nodes", tabindex: 0, role: "region", "aria-label": "Nodes" }, told.nodes.map((node) => h("figure", {},
      h("figcaption", {}, h("strong", {}, `${node.gpus} × ${node.model}`), node.memory_gib ? ` ${node.memory_gib} GiB` : "", h("span", { class: "muted small id" }, `${node.offer}, node ${node.node}`)),
      graph(node), h("p", { class: "muted small" }, linkWords(node)), parts(node)))),
    h("ul", { class: "legend", "aria-hidden": "true" }, h("li", {}, h("i", { class: "box own" }), "this plan"), h("li", {}, h("i", { class: "box free" }), "free"), h("li", {}, h("i", { class: "box used" }), "in use")));
}
