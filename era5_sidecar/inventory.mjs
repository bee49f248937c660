// Inventory in another language: the business, and nothing else.
//
// What era 4's library did for Python only, a process beside this one does for it: era 4's file,
// but for where it listens and how it ends. Node's own modules only:
//
//     node inventory.mjs inventory --name NAME --listen unix:PATH --store FILE --catalogue FILE
//
// The stock is what happened to it: one JSON object a line in FILE.jsonl, replayed at the start.
// Two languages read the same JSON in two ways: a quantity of 2.0 is whole here, and not in Python.

import * as fs from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const OPTIONS = ["name", "listen", "store", "catalogue"];
const STATUS = { invalid: 400, unknown_sku: 404, not_found: 404, conflict: 409, out_of_stock: 409 };

const ID = "1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first";
const RULES = {
  order_id: [(value) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value), ID],
  sku: [
    (value) => typeof value === "string" && /^(?:[^\p{C}\p{Z}]| ){1,64}$/u.test(value),
    "text of 1 to 64 printable characters",
  ],
  quantity: [
    (value) => Number.isInteger(value) && value >= 1 && value <= 1000,
    "a whole number from 1 to 1000",
  ],
};

class Inventory {
  constructor(products, journal) {
    this.products = products;
    this.available = new Map(products.map(({ sku, stock }) => [sku, stock]));
    this.reserved = new Map(); // order id -> { sku, quantity }
    this.released = new Set(); // order ids: what still arrives for them is late
    for (const event of replay(journal)) this.apply(event);
    this.journal = fs.openSync(journal, "a", 0o600);
  }

  reserve(order_id, sku, quantity) {
    const held = this.reserved.get(order_id);
    const left = this.available.get(sku);
    const again = held?.sku === sku && held.quantity === quantity;
    if (again) return { outcome: "reserved", detail: "repeated" };
    if (held) return { outcome: "conflict", detail: `order ${order_id} holds other goods` };
    if (this.released.has(order_id)) return { outcome: "conflict", detail: "released: too late" };
    if (left === undefined) return { outcome: "unknown_sku", detail: `sku is ${brief(sku)}` };
    if (left < quantity) return { outcome: "out_of_stock", detail: `${left} of ${sku} left` };
    this.record({ op: "reserve", order_id, sku, quantity });
    return { outcome: "reserved" };
  }

  release(order_id) {
    if (!this.released.has(order_id)) this.record({ op: "release", order_id });
    return { outcome: "released" };
  }

  record(event) {
    fs.writeSync(this.journal, JSON.stringify(event) + "\n");
    fs.fsyncSync(this.journal); // before anybody is told
    this.apply(event);
  }

  apply({ op, order_id, sku, quantity }) {
    if (op === "reserve") {
      this.available.set(sku, this.available.get(sku) - quantity);
      this.reserved.set(order_id, { sku, quantity });
      return;
    }
    const held = this.reserved.get(order_id);
    if (held) this.available.set(held.sku, this.available.get(held.sku) + held.quantity);
    this.reserved.delete(order_id);
    this.released.add(order_id);
  }
}

// What was written before, without a last line that a kill cut short: nobody was told of it.
function replay(journal) {
  if (!fs.existsSync(journal)) return [];
  const bytes = fs.readFileSync(journal);
  const end = bytes.lastIndexOf("\n") + 1;
  fs.truncateSync(journal, end);
  const lines = bytes.subarray(0, end).toString().split("\n");
  return lines.filter((line) => line).map((line) => JSON.parse(line));
}

function answer(inventory, method, url, body) {
  const [, quoted] = url.match(/^\/reservations\/(.*)$/s) ?? [];
  if (method === "GET" && url === "/catalogue") {
    return { outcome: "catalogue", products: inventory.products };
  }
  if (quoted === undefined || !["PUT", "DELETE"].includes(method)) {
    return { outcome: "not_found", detail: `${method} ${url.slice(0, 100)}` };
  }
  const order_id = quoted.includes("%") ? "%" : quoted; // what must be quoted is in no order's id
  if (method === "DELETE") return refusal({ order_id }) ?? inventory.release(order_id);
  const asked = parse(body);
  if (asked === null) return refuse("the body", body, "a JSON object");
  const { sku, quantity } = asked;
  return refusal({ order_id, sku, quantity }) ?? inventory.reserve(order_id, sku, quantity);
}

function parse(body) {
  try {
    const value = JSON.parse(body);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function refusal(fields) {
  for (const [field, value] of Object.entries(fields)) {
    const [holds, accepted] = RULES[field];
    if (!holds(value)) return refuse(field, value, accepted);
  }
  return null;
}

function refuse(field, value, accepted) {
  const detail = `${field} is ${brief(value)}; accepted: ${accepted}`;
  return { outcome: "invalid", detail, field };
}

function brief(value) {
  return (JSON.stringify(value) ?? "missing").slice(0, 40);
}

function send(response, method, outcome) {
  const kind = outcome.outcome;
  const status = STATUS[kind] ?? (method === "PUT" && !outcome.detail ? 201 : 200);
  const problem = { type: `urn:seven-eras:${kind}`, title: kind.replaceAll("_", " "), status };
  const type = kind in STATUS ? "application/problem+json" : "application/json";
  response.writeHead(status, { "Content-Type": type });
  response.end(JSON.stringify(kind in STATUS ? { ...problem, ...outcome } : outcome));
}

function main() {
  const options = Object.fromEntries(OPTIONS.map((name) => [name, { type: "string" }]));
  const { values } = parseArgs({ options, allowPositionals: true });
  const missing = ["listen", "store", "catalogue"].find((name) => !values[name]);
  if (missing) throw new Error(`--${missing} is missing`);
  const products = JSON.parse(fs.readFileSync(values.catalogue, "utf8"));
  const inventory = new Inventory(products, `${values.store}.jsonl`);
  const server = createServer((request, response) => {
    const { method, url } = request;
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      send(response, method, answer(inventory, method, url, Buffer.concat(pieces).toString()));
    });
  });
  process.umask(0o177); // whoever may open the socket may ask anything, so nobody else may
  process.on("SIGTERM", () => {
    server.close(() => process.exit(0)); // when who is inside has his answer
    server.closeIdleConnections();
  });
  listen(server, values.listen, (address) => console.log(`inventory ready at ${address}`));
}

// At unix:PATH or http://HOST:PORT.
function listen(server, address, ready) {
  server.on("error", (error) => fail(error));
  if (address.startsWith("unix:")) {
    const path = address.slice("unix:".length);
    const left = fs.lstatSync(path, { throwIfNoEntry: false }); // by a service that was killed
    if (left?.isSocket()) fs.rmSync(path);
    server.listen(path, () => ready(address));
    return;
  }
  const { hostname, port } = new URL(address);
  server.listen(Number(port), hostname, () => ready(`http://${hostname}:${server.address().port}`));
}

function fail(error) {
  console.error(`inventory.mjs cannot start: ${error.message}`);
  process.exitCode = 2;
}

try {
  main();
} catch (error) {
  fail(error);
}
