// The intent as a document: read from text, changed at a path, and found again in the text.

export const inside = (tree) => (tree && typeof tree === "object" && "intent" in tree ? tree.intent : tree);

export function parse(text) {
  try {
    const tree = JSON.parse(text);
    const intent = inside(tree);
    return intent && typeof intent === "object" && !Array.isArray(intent) ? tree : null;
  } catch {
    return null;
  }
}

export const format = (tree) => JSON.stringify(tree, null, 2);

export const get = (tree, path) => path.split(".").reduce((at, name) => at?.[name], inside(tree));

// Absent fields are absent: an emptied one goes, and with it the objects that it leaves empty.
export function put(tree, path, value) {
  const [name, ...rest] = path.split(".");
  const write = (at, name, rest) => {
    if (!rest.length) {
      if (value === undefined) delete at[name];
      else at[name] = value;
      return;
    }
    if (typeof at[name] !== "object" || at[name] === null) {
      if (value === undefined) return;
      at[name] = {};
    }
    write(at[name], rest[0], rest.slice(1));
    if (value === undefined && !Object.keys(at[name]).length) delete at[name];
  };
  write(inside(tree), name, rest);
}

// JSON merge patch (RFC 7396), as suggestions and corrections come.
export function merge(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result = target && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}

// Where the value of each path begins and ends in the text, however the text is laid out.
export function places(text) {
  const found = new Map();
  let at = 0;
  const space = () => { while (at < text.length && " \t\r\n".includes(text[at])) at += 1; };
  const string = () => {
    const start = at;
    at += 1;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at += 1;
    return text.slice(start, at);
  };
  const value = (path) => {
    space();
    const start = at;
    if (text[at] === "{" || text[at] === "[") members(path, text[at] === "{");
    else if (text[at] === '"') string();
    else while (at < text.length && !",]} \t\r\n".includes(text[at])) at += 1;
    found.set(path.join("."), [start, at]);
  };
  const members = (path, named) => {
    at += 1;
    for (let index = 0; at < text.length; index += 1) {
      space();
      if (text[at] === "}" || text[at] === "]") break;
      let name = index;
      if (named) {
        if (text[at] !== '"') throw new Error("no JSON");
        name = JSON.parse(string());
        space();
        at += 1; // the colon
      }
      value([...path, name]);
      space();
      if (text[at] === ",") at += 1;
    }
    at += 1;
  };
  try {
    value([]);
  } catch { /* what was found before stays */ }
  return found;
}

// The place of a path from the intent's inside, or of the nearest part around it.
export function locate(text, path) {
  const found = places(text);
  const wrapped = found.has("intent") ? ["intent"] : [];
  const way = [...wrapped, ...(path ? path.split(".") : [])];
  for (let length = way.length; length >= 0; length -= 1) {
    const place = found.get(way.slice(0, length).join("."));
    if (place) return place;
  }
  return [0, 0];
}

export function lineOf(text, offset) {
  return text.slice(0, offset).split("\n").length;
}

export function syntaxPlace(text, message) {
  const found = /line (\d+), column (\d+)/.exec(message);
  if (!found) return [0, 0];
  const before = text.split("\n").slice(0, Number(found[1]) - 1);
  const offset = before.reduce((sum, line) => sum + line.length + 1, 0) + Number(found[2]) - 1;
  return [offset, Math.min(text.length, offset + 1)];
}
